"""Image configurations and manifests, as bytes of one single spelling.

Source: OCI image specification, config.md, manifest.md and annotations.md; `Healthcheck` is
docker's extension of the configuration.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lamina.model.built import Layer
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import Healthcheck, Runtime
from lamina.oci.descriptor import CONFIG_TYPE, MANIFEST_TYPE, Descriptor

_ANNOTATION = "org.opencontainers.image."
_NANOSECONDS = 1_000_000_000  # in a second


def make_config(
    runtime: Runtime, *, layers: Sequence[Layer], epoch: int, architecture: str
) -> bytes:
    """Return the OCI configuration of an image with these layers, the lowest first.

    `epoch` is the image's time in seconds since 1970, `architecture` is spelled as Go does:
    `amd64`, `arm64`. Nothing else goes in, so that the same image is the same bit for bit.
    `{date}` in a label stands for the day of `epoch`, as in 20260131.
    """
    created = _timestamp(epoch)
    date = created[:10].replace("-", "")
    labels = {name: text.replace("{date}", date) for name, text in runtime.labels.items()}
    return canonical_json(
        {
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": _container(replace(runtime, labels=labels)),
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
            "history": [
                {"created": created, "created_by": f"lamina: {_content(layer)}"} for layer in layers
            ],
        }
    )


def make_manifest(
    config: bytes,
    layers: Sequence[Layer],
    *,
    title: str = "",
    epoch: int | None = None,
    base: Digest | None = None,
) -> bytes:
    """Return the OCI manifest of an image with this configuration and these layers.

    `title`, `epoch` (seconds since 1970) and `base`, the manifest of the image that this one was
    built over, become annotations where they are given.
    """
    annotations = {
        "title": title,
        "created": _timestamp(epoch) if epoch is not None else "",
        "base.digest": str(base) if base else "",
    }
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": Descriptor(
            media_type=CONFIG_TYPE, digest=Digest.of(config), size=len(config)
        ).to_json(),
        "layers": [
            Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size).to_json()
            for layer in layers
        ],
    }
    given = {_ANNOTATION + name: text for name, text in annotations.items() if text}
    return canonical_json({**manifest, "annotations": given} if given else manifest)


def read_runtime(config: bytes) -> Runtime:
    """Return the runtime configuration that `make_config` wrote into a configuration."""
    fields = json.loads(config)["config"]
    health = fields.get("Healthcheck")
    return Runtime(
        user=fields.get("User", ""),
        environment=dict(variable.split("=", 1) for variable in fields.get("Env", ())),
        entrypoint=tuple(fields.get("Entrypoint", ())),
        command=tuple(fields.get("Cmd", ())),
        volumes=tuple(fields.get("Volumes", ())),
        ports=tuple(fields.get("ExposedPorts", ())),
        labels=fields.get("Labels", {}),
        stop_signal=fields.get("StopSignal", ""),
        working_dir=fields.get("WorkingDir", ""),
        healthcheck=_read_healthcheck(health) if health else None,
    )


def _container(runtime: Runtime) -> Mapping[str, Any]:
    """Return the `config` object: what a container of the image starts with."""
    health = runtime.healthcheck
    fields: dict[str, Any] = {
        "User": runtime.user,
        "Env": [f"{name}={value}" for name, value in sorted(runtime.environment.items())],
        "Entrypoint": list(runtime.entrypoint),
        "Cmd": list(runtime.command),
        "ExposedPorts": {port: {} for port in runtime.ports},
        "Volumes": {volume: {} for volume in runtime.volumes},
        "WorkingDir": runtime.working_dir,
        "Labels": dict(runtime.labels),
        "StopSignal": runtime.stop_signal,
        "Healthcheck": _healthcheck(health) if health else None,
    }
    return {name: value for name, value in fields.items() if value}


def _healthcheck(health: Healthcheck) -> Mapping[str, Any]:
    """Return docker's form of a health check: times in nanoseconds."""
    return {
        "Test": ["CMD", *health.command],
        "Interval": health.interval * _NANOSECONDS,
        "Timeout": health.timeout * _NANOSECONDS,
        "StartPeriod": health.start_period * _NANOSECONDS,
        "Retries": health.retries,
    }


def _read_healthcheck(fields: Mapping[str, Any]) -> Healthcheck:
    """Return the health check of docker's form."""
    _, *command = fields["Test"]
    return Healthcheck(
        command=tuple(command),
        interval=fields["Interval"] // _NANOSECONDS,
        timeout=fields["Timeout"] // _NANOSECONDS,
        start_period=fields["StartPeriod"] // _NANOSECONDS,
        retries=fields["Retries"],
    )


def _content(layer: Layer) -> str:
    """Return what a layer holds, for the image's history."""
    return " ".join(layer.units) or "configuration"


def _timestamp(epoch: int) -> str:
    """Return a time as RFC 3339 in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
