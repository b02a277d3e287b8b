"""No image holds a secret, or what must be every machine's own: all layers are read."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from tests.conftest import Workshop

pytestmark = pytest.mark.real

# A key itself, not a program or a manual page that knows what one looks like.
_KEY = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n(?:[A-Za-z-]+: .*\r?\n|\r?\n)*[\w+/=]{40}"
)
_PASSWORD = re.compile(rb"(?m)^[^:\n]+:(?:[^:!*\n][^:\n]{5,})?:")
# What programs make at random on their first start, or take from the machine.
_OWN = (
    "*/.erlang.cookie",
    "etc/*/authkey",
    "etc/*rndc.key",
    "etc/hostid",
    "etc/iscsi/initiatorname.iscsi",
    "etc/machine-id",
    "etc/nvme/host*",
    "etc/ssh/ssh_host_*_key",
    "etc/ssl/private/*",
    "root/.*_history",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/credential.secret",
    "var/lib/systemd/random-seed",
)
_CONFIGURATION = "lamina: configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLayer:
    """A layer of an image, and whether the image's own build made what is in it."""

    path: Path
    made: bool


def secrets(layer: tarfile.TarFile, *, made: bool) -> Iterator[str]:
    """Yield what must be in no image.

    A key in a package is everybody's: an example, or for a test. One that was `made` is a secret.
    """
    for member in layer:
        if not member.isfile() or not member.size:
            continue
        file = layer.extractfile(member)
        assert file is not None
        content = file.read()
        if any(fnmatchcase(member.name, pattern) for pattern in _OWN):
            yield f"{member.name}: every machine must have its own"
        if made and _KEY.search(content) and not member.name.endswith(".pyc"):
            yield f"{member.name}: a private key"
        if member.name in ("etc/shadow", "etc/shadow-") and _PASSWORD.search(content):
            yield f"{member.name}: a password, or none where one is asked for"


def layers(store: Path) -> Iterator[ReadLayer]:
    """Yield the layers of all images in a store, each once."""

    def blob(descriptor: Mapping[str, str]) -> Path:
        return store / "oci" / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")

    seen = set()
    for tagged in json.loads((store / "oci" / "index.json").read_text())["manifests"]:
        manifest = json.loads(blob(tagged).read_bytes())
        history = json.loads(blob(manifest["config"]).read_bytes())["history"]
        for descriptor, told in zip(manifest["layers"], history, strict=True):
            if descriptor["digest"] not in seen:
                seen.add(descriptor["digest"])
                yield ReadLayer(path=blob(descriptor), made=told["created_by"] == _CONFIGURATION)


def test_no_layer_of_the_fleet_holds_a_secret(built: Workshop) -> None:
    read = list(layers(built.store))

    found = []
    for each in read:
        with tarfile.open(each.path) as layer:
            found += [f"{each.path.name}: {secret}" for secret in secrets(layer, made=each.made)]

    assert found == []
    assert {each.made for each in read} == {True, False}


_PEM = b"-----BEGIN %sPRIVATE KEY-----\n%sMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB\n"


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("srv/key", _PEM % (b"", b""), "a private key"),
        ("srv/key", b"# note\n" + _PEM % (b"OPENSSH ", b""), "a private key"),
        ("srv/key", _PEM % (b"RSA ", b"Proc-Type: 4,ENCRYPTED\n\n"), "a private key"),
        ("etc/ssl/private/ssl-cert-snakeoil.key", b"x", "every machine must have its own"),
        ("etc/bind/rndc.key", b'key "rndc-key"', "every machine must have its own"),
        ("var/lib/rabbitmq/.erlang.cookie", b"QWERTY", "every machine must have its own"),
        ("etc/machine-id", b"0123456789abcdef\n", "every machine must have its own"),
        (
            "etc/shadow",
            b"daemon:*:1::::::\nroot:$y$j9T$x:1::::::\n",
            "a password, or none where one is asked for",
        ),
        (
            "etc/shadow",
            b"root:*:1::::::\nguest::1::::::\n",
            "a password, or none where one is asked for",
        ),
        ("etc/shadow", b"root:*:1::::::\nmysql:!:1::::::\n", ""),
        ("etc/machine-id", b"", ""),
        ("usr/lib/libssl.so", b"\0-----BEGIN PRIVATE KEY-----\0-----END", ""),
        ("usr/share/doc/x", b"-----BEGIN PRIVATE KEY-----\n...\n", ""),
    ],
)
def test_what_is_a_secret(name: str, content: bytes, fault: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as layer:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        layer.addfile(member, io.BytesIO(content))
    packed.seek(0)

    with tarfile.open(fileobj=packed) as layer:
        assert list(secrets(layer, made=True)) == ([f"{name}: {fault}"] if fault else [])


def test_a_key_that_comes_in_a_package_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(_PEM % (b"", b""))
    with tarfile.open(tmp_path / "layer.tar", "w") as layer:
        layer.add(tmp_path / "key", "usr/share/doc/x/key")

    with tarfile.open(tmp_path / "layer.tar") as layer:
        assert list(secrets(layer, made=False)) == []
