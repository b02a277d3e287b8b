"""Secrets in the layers of images: known by the place where a program keeps one, or by its form.

Every file is read as it lies in its layer; what is packed inside of one, as in a jar, is not.
What has no form, and differs from build to build, is found by building twice instead
(test_reproducible.py).
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from pathlib import Path

from isal import igzip

KEY, STORE, CEPH_KEY = "a private key", "a store of keys", "a key of Ceph"
TOKEN, VALUE = "a token", "a secret value"
HASH, PASSWORD = "a password's hash", "a password, or none where one is asked for"

# What programs make at random as they are installed or first started, or take from the machine.
# As in a shell, but `*` goes over `/` too. A file with nothing in it holds no secret.
PLACES: Mapping[str, tuple[str, ...]] = {
    "an SSH host key": ("etc/ssh/ssh_host_*", "etc/dropbear/*_host_key"),
    "a user's SSH key": ("*/.ssh/*", "*/id_rsa", "*/id_ecdsa", "*/id_ed25519", "*/id_dsa"),
    "a machine id": ("etc/machine-id", "var/lib/dbus/machine-id", "etc/hostid", "etc/hostname"),
    "an initiator name": ("etc/iscsi/initiatorname.iscsi", "etc/nvme/host*"),
    "a cookie": ("*/.erlang.cookie", "*cookiesecret", "*/.Xauthority", "*/.pulse-cookie"),
    "an authkey": ("*/authkey", "*/munge.key", "*/rndc.key", "*.keytab", "*/tsig.key"),
    TOKEN: ("var/lib/pcsd/*", "*/.netrc", "*/.docker/config.json", "*/.aws/credentials"),
    "a snakeoil certificate": ("etc/ssl/private/*", "etc/ssl/certs/*snakeoil*"),
    "a random seed": ("*/random-seed", "*/random_seed", "*/seedfile", "*/.rnd", "*/.rand"),
    "a secret of the machine": ("*/credential.secret", "etc/*/fernet-keys/*", "*/.google_auth*"),
    "a user's password": ("*/.pgpass", "*/.my.cnf", "etc/ppp/*-secrets", "etc/ipsec.secrets"),
    "a GnuPG key": ("*/private-keys-v1.d/*", "*/secring.gpg", "*/openpgp-revocs.d/*"),
    STORE: ("*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdb", "*.kdbx"),
    "a history of commands": ("*/.*_history", "*/.lesshst"),
}
SORTS = frozenset((*PLACES, KEY, STORE, CEPH_KEY, TOKEN, VALUE, HASH, PASSWORD))
_AT_A_PLACE = {
    what: re.compile("|".join(map(translate, patterns))) for what, patterns in PLACES.items()
}

# A key itself, not a program or a manual page that knows what one looks like.
_PEM = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s*\n"
    rb"(?:[A-Za-z-]+: .*\n|\s*\n)*[\w+/=]{40}"
)
_SSH2 = re.compile(rb"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\s*\n")
_PUTTY = re.compile(rb"PuTTY-User-Key-File-\d: [\w-]+\s*\n")

# What a file begins with: PKCS #1 and RFC 5915, PKCS #8 and RFC 5958, PKCS #12, all in DER; JKS.
_LENGTH = rb"(?:[\x00-\x7f]|\x81.|\x82..|\x83...)"
_DER_KEY = re.compile(
    rb"\x30%(length)b\x02\x01(?:"
    rb"\x00\x02[\x40-\x81\x82]..?\x00"
    rb"|\x01\x04[\x1c-\x42].{28,66}\xa0"
    rb"|[\x00\x01]\x30%(length)b\x06[\x03-\x09](?:\x2a\x86\x48|\x2b\x65))" % {b"length": _LENGTH},
    re.DOTALL,
)
_DER_ENCRYPTED = re.compile(
    rb"\x30%(length)b\x30%(length)b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"
    % {b"length": _LENGTH},
    re.DOTALL,
)
_KEY_STORE = re.compile(
    rb"\x30%(length)b\x02\x01\x03\x30%(length)b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
    rb"|\xfe\xed\xfe\xed" % {b"length": _LENGTH},
    re.DOTALL,
)
# A packet with the tag 5 of RFC 9580, in the older form and the newer; then the key's version.
_PGP = re.compile(rb"(?:[\x94-\x96].{1,4}|\xc5.{1,5})[\x03-\x06]", re.DOTALL)

# crypt(5), and Argon2 as RFC 9106's own implementation writes it.
_CRYPTED = re.compile(
    rb"\$(?:(?:1|5|6|apr1)\$(?:rounds=\d+\$)?[\w./]{0,16}\$[\w./]{22}"
    rb"|2[abxy]\$\d\d\$[\w./]{53}"
    rb"|(?:y|gy|7)\$[\w./]+\$[\w./]*\$[\w./]{43}"
    rb"|argon2(?:id|i|d)\$v=\d+\$m=)"
)
_SHADOW = re.compile(rb"(?m)^[^:\n]+:(?:[^:!*\n][^:\n]{5,})?:")
_CEPH = re.compile(rb"(?m)^\s*key\s*=\s*AQ[\w+/]{36,}={0,2}\s*$")
_TOKENS = (
    (b".eyJ", re.compile(rb"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}")),  # JWT, RFC 7519
    (b"AKIA", re.compile(rb"\bAKIA[0-9A-Z]{16}\b")),
    (b"glpat-", re.compile(rb"\bglpat-[\w-]{20}")),
    *((b"gh%c_" % kind, re.compile(rb"\bgh[pousr]_\w{36}")) for kind in b"pousr"),
    *((b"xox%c-" % kind, re.compile(rb"\bxox[abpr]-[\w-]{10,}")) for kind in b"abpr"),
    (b"gAAAA", re.compile(rb"\bgAAAA[\w-]{60,}={0,2}")),  # Fernet
)

# `secret_key = q3…`, `"token": "…"`, `<password>…</password>`, in files that configure something.
_VALUE = re.compile(
    rb"(?i)(?:pass(?:word|wd|phrase)?|secret|token|cookie|(?:api|auth|private|access|shared)[_-]?key"
    rb"|psk)[\w.-]*[\"']?[ \t]*[:=>][ \t]*[\"']?([\w+/=.@!%-]{12,})"
)
_COMMENT = re.compile(rb"[ \t]*(?:#|;|//|--|<!--)")
_CONFIGURATION = re.compile(r"etc/.*|.*\.(?:conf|cnf|cfg|ini|json|properties|toml|xml|ya?ml|env)")
_CONFIGURATION_LAYER = "lamina: configuration"
_TEXT_BEGINS = 4096  # bytes in which a text has no NUL


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of an image, and whether the image's own build made what is in it."""

    path: Path
    made: bool


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Secret:
    """What was found where."""

    path: str  # in the image
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What looks like a secret, and is known to everybody."""

    pattern: str  # of paths
    what: str
    why: str

    def covers(self, secret: Secret) -> bool:
        """Tell whether `secret` is meant."""
        return self.what == secret.what and fnmatchcase(secret.path, self.pattern)


def known_secrets() -> tuple[Known, ...]:
    """Return what known-secrets.txt says: `PATTERN : WHAT # WHY` on each line."""
    lines = Path(__file__).with_name("known-secrets.txt").read_text().splitlines()
    return tuple(_known(line) for line in lines if line and not line.startswith("#"))


def _known(line: str) -> Known:
    found = re.fullmatch(r"/(\S+)\s+(\w[^#]*\w)\s+# (\w.*)", line)
    assert found, f"not a line of known-secrets.txt: {line}"
    return Known(pattern=found[1], what=found[2], why=found[3])


def secrets(path: str, content: bytes, *, made: bool) -> Iterator[str]:
    """Yield what secrets a file of an image holds.

    `made` is whether the image's own build made it: then all of it may be this image's alone,
    and any text counts as configuration, wherever it lies.
    """
    if not content:
        return
    found = {what for what, places in _AT_A_PLACE.items() if places.match(path)}
    if _holds_key(path, content):
        found.add(KEY)
    if _KEY_STORE.match(content):
        found.add(STORE)
    if path in ("etc/shadow", "etc/gshadow") and _SHADOW.search(content):
        found.add(PASSWORD)
    if b"\0" not in content[:_TEXT_BEGINS]:
        found |= _in_text(content)
        if (made or _CONFIGURATION.fullmatch(path)) and _has_value(content):
            found.add(VALUE)
    yield from sorted(found)


def _holds_key(path: str, content: bytes) -> bool:
    if b"PRIVATE KEY" in content and (_PEM.search(content) or _SSH2.search(content)):
        # A module's constants lie in its compiled form as well.
        return not path.endswith(".pyc")
    if content.startswith(b"PuTTY") and _PUTTY.match(content):
        return True
    if content[0] == 0x30 and (_DER_KEY.match(content) or _DER_ENCRYPTED.match(content)):
        return True
    return path.endswith((".gpg", ".pgp", ".key")) and _PGP.match(content) is not None


def _in_text(text: bytes) -> set[str]:
    found = set()
    if _CRYPTED.search(text):
        found.add(HASH)
    if b"AQ" in text and _CEPH.search(text):
        found.add(CEPH_KEY)
    if any(mark in text and pattern.search(text) for mark, pattern in _TOKENS):
        found.add(TOKEN)
    return found


def _has_value(text: bytes) -> bool:
    """Tell whether a setting that is called like a secret has a value that looks random."""
    for found in _VALUE.finditer(text):
        line = text.rfind(b"\n", 0, found.start()) + 1
        if not _COMMENT.match(text, line) and _is_random(found[1]):
            return True
    return False


def _is_random(value: bytes) -> bool:
    """Tell words, paths and versions from what a generator has made."""
    if value.startswith((b"/", b"./")) or re.fullmatch(rb"[a-z]+(?:[-_./@]?[a-z]+)*\d{0,2}", value):
        return False
    letters, digits = re.findall(rb"[A-Za-z]", value), re.findall(rb"\d", value)
    return len(digits) >= 2 and (len(letters) >= 2 or len(digits) >= 16) and len(set(value)) >= 8


def layers_of(store: Path) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """Return the layers of all images in a store, each once, and the images' environments."""

    def blob(descriptor: Mapping[str, str]) -> Path:
        return store / "oci" / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")

    layers: dict[str, Layer] = {}
    environments: dict[str, None] = {}
    for tagged in json.loads((store / "oci" / "index.json").read_text())["manifests"]:
        manifest = json.loads(blob(tagged).read_bytes())
        config = json.loads(blob(manifest["config"]).read_bytes())
        environments |= dict.fromkeys(config["config"].get("Env", ()))
        for descriptor, told in zip(manifest["layers"], config["history"], strict=True):
            made = told["created_by"] == _CONFIGURATION_LAYER
            layers[descriptor["digest"]] = Layer(path=blob(descriptor), made=made)
    return tuple(layers.values()), tuple(environments)


def secrets_of_layer(layer: Layer) -> tuple[Secret, ...]:
    """Return the secrets of a layer, by path."""
    found = []
    with (
        layer.path.open("rb") as blob,
        igzip.IGzipFile(fileobj=blob) as content,  # type: ignore[no-untyped-call]
        tarfile.open(fileobj=content, mode="r|") as archive,
    ):
        for member in archive:
            if file := archive.extractfile(member) if member.isreg() else None:
                whats = secrets(member.name, file.read(), made=layer.made)
                found += [Secret(path=member.name, what=what) for what in whats]
    return tuple(sorted(found))


def secrets_of_store(store: Path) -> tuple[Secret, ...]:
    """Return the secrets of all images of a store; each of their layers is read once."""
    layers, environments = layers_of(store)
    # The largest first, so that no core is left alone with one in the end.
    ordered = sorted(layers, key=lambda layer: layer.path.stat().st_size, reverse=True)
    with ProcessPoolExecutor() as workers:
        found = {secret for one in workers.map(secrets_of_layer, ordered) for secret in one}
    for variable in environments:
        text = variable.encode()
        whats = _in_text(text) | ({VALUE} if _has_value(text) else set())
        found |= {Secret(path=f"$ {variable}", what=what) for what in whats}
    return tuple(sorted(found))
