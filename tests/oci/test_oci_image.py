"""Configurations and manifests: all that was asked for, in one spelling."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lamina.model.built import Layer, Part
from lamina.model.digest import Digest
from lamina.model.image import Healthcheck, Runtime
from lamina.oci.image import make_config, make_manifest, read_runtime

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
TREES = Layer(
    diff_id=Digest("1" * 64),
    digest=Digest("2" * 64),
    size=10,
    apparent=100,
    disk=4096,
    media_type=GZIP,
    parts=(
        Part(unit="cron_1_amd64", size=4, apparent=40),
        Part(unit="libc6_2_amd64", size=5, apparent=50),
    ),
)
DELTA = Layer(
    diff_id=Digest("3" * 64),
    digest=Digest("4" * 64),
    size=20,
    apparent=200,
    disk=4096,
    media_type=GZIP,
)
FULL = Runtime(
    user="mysql",
    environment={"PATH": "/usr/bin", "LANG": "C"},
    entrypoint=("dumb-init", "--"),
    command=("kolla_start",),
    volumes=("/var/log",),
    ports=("3306/tcp",),
    labels={"b": "2", "a": "1"},
    stop_signal="SIGQUIT",
    working_dir="/srv",
    healthcheck=Healthcheck(command=("check", "3306"), interval=30, timeout=20, retries=4),
)


def test_a_configuration_holds_all_of_the_runtime() -> None:
    config = json.loads(
        make_config(FULL, layers=[TREES, DELTA], epoch=1_700_000_000, architecture="arm64")
    )
    assert config == {
        "architecture": "arm64",
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": {
            "User": "mysql",
            "Env": ["LANG=C", "PATH=/usr/bin"],
            "Entrypoint": ["dumb-init", "--"],
            "Cmd": ["kolla_start"],
            "Volumes": {"/var/log": {}},
            "ExposedPorts": {"3306/tcp": {}},
            "Labels": {"a": "1", "b": "2"},
            "StopSignal": "SIGQUIT",
            "WorkingDir": "/srv",
            "Healthcheck": {
                "Test": ["CMD", "check", "3306"],
                "Interval": 30_000_000_000,
                "Timeout": 20_000_000_000,
                "StartPeriod": 5_000_000_000,
                "Retries": 4,
            },
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": ["sha256:" + "1" * 64, "sha256:" + "3" * 64],
        },
        "history": [
            {"created": "2023-11-14T22:13:20Z", "created_by": "lamina: cron_1_amd64 libc6_2_amd64"},
            {"created": "2023-11-14T22:13:20Z", "created_by": "lamina: configuration"},
        ],
    }


@pytest.mark.parametrize("runtime", [FULL, Runtime(), replace(FULL, environment={"A": "b=c"})])
def test_the_runtime_is_read_back_from_a_configuration(runtime: Runtime) -> None:
    config = make_config(runtime, layers=[DELTA], epoch=1, architecture="amd64")

    assert read_runtime(config) == runtime


def test_what_is_not_set_is_not_in_a_configuration() -> None:
    config = json.loads(make_config(Runtime(), layers=[], epoch=0, architecture="amd64"))
    assert config["config"] == {}
    assert config["created"] == "1970-01-01T00:00:00Z"


def test_the_order_in_which_maps_were_written_does_not_count() -> None:
    one = Runtime(environment={"A": "1", "B": "2"}, labels={"x": "1", "y": "2"})
    other = Runtime(environment={"B": "2", "A": "1"}, labels={"y": "2", "x": "1"})
    assert make_config(one, layers=[DELTA], epoch=1, architecture="amd64") == make_config(
        other, layers=[DELTA], epoch=1, architecture="amd64"
    )


def test_a_manifest_names_configuration_and_layers_by_digest_and_size() -> None:
    manifest = json.loads(make_manifest(b"{}", [TREES, DELTA]))
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": str(Digest.of(b"{}")),
            "size": 2,
        },
        "layers": [
            {"mediaType": GZIP, "digest": "sha256:" + "2" * 64, "size": 10},
            {"mediaType": GZIP, "digest": "sha256:" + "4" * 64, "size": 20},
        ],
    }


def test_a_manifest_says_what_it_was_built_over() -> None:
    base = Digest("5" * 64)
    manifest = json.loads(make_manifest(b"{}", [], title="cron", epoch=60, base=base))
    assert manifest["annotations"] == {
        "org.opencontainers.image.title": "cron",
        "org.opencontainers.image.created": "1970-01-01T00:01:00Z",
        "org.opencontainers.image.base.digest": "sha256:" + "5" * 64,
    }
