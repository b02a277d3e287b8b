"""A deployment's certificates of authorities, added to those that the image trusts."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kolla_contract import paths
from kolla_contract.plan import Properties
from kolla_contract.writing import remove_file, write_file

SOURCES = (
    "/var/lib/kolla/config_files/ca-certificates",
    "/var/lib/kolla/share/ca-certificates",
)
PREFIX = "kolla-"

_SUFFIXES = (".crt", ".pem")
_SIZE_LIMIT = 16 << 20  # bytes, of one file
_FOR_ALL = Properties(uid=0, gid=0, mode=0o644)
# Nothing of the caller's environment: openssl would load what OPENSSL_CONF says.
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Where a distribution takes further certificates from, and what then makes it trust them."""

    folder: str
    update: str


# Debian's and Red Hat's way, known by the program that the image has.
WAYS = (
    Trust(folder="/usr/local/share/ca-certificates", update="/usr/sbin/update-ca-certificates"),
    Trust(folder="/etc/pki/ca-trust/source/anchors", update="/usr/bin/update-ca-trust"),
)


def main(arguments: Sequence[str]) -> int:
    """Make the image trust just the certificates that are mounted; return the exit status."""
    if arguments:
        print("usage: kolla_copy_cacerts", file=sys.stderr)
        return 2
    os.umask(0o022)
    try:
        return _copy()
    except OSError as error:
        print(f"kolla_copy_cacerts: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1


def _copy() -> int:
    wanted = _wanted()
    way = next((way for way in WAYS if os.access(way.update, os.X_OK)), None)
    if way is None:
        if wanted:
            print("kolla_copy_cacerts: no program that updates trust is here", file=sys.stderr)
        return 1 if wanted else 0
    there = _there(way)
    if wanted == there:
        return 0  # an update takes a second or two
    for name in sorted(there.keys() - wanted.keys()):
        remove_file(f"{way.folder}/{name}")
    for name in sorted(wanted):
        write_file(f"{way.folder}/{name}", io.BytesIO(wanted[name]), _FOR_ALL)
    done = subprocess.run([way.update], env=_ENVIRONMENT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        for name in wanted:
            remove_file(f"{way.folder}/{name}")  # so that the next start does not find it done
        return 1
    return 0


def _wanted() -> Mapping[str, bytes]:
    """Return the deployment's certificates, by the names that they get."""
    wanted = {}
    for folder in SOURCES:
        for name, text in _files(folder).items():
            stem, suffix = os.path.splitext(name)
            if suffix in _SUFFIXES:
                wanted[f"{PREFIX}{stem}.crt"] = text  # Debian takes no others
            else:
                print(f"kolla_copy_cacerts: {folder}/{name}: neither .crt nor .pem, ignored")
    return wanted


def _there(way: Trust) -> Mapping[str, bytes]:
    return {name: text for name, text in _files(way.folder).items() if name.startswith(PREFIX)}


def _files(folder: str) -> Mapping[str, bytes]:
    """Return the content of the files in a folder, by name; hidden ones aside."""
    found = {}
    try:
        with paths.at(folder) as descriptor:
            for name in paths.names(descriptor):
                if not name.startswith("."):
                    found[name] = _content(descriptor, f"{folder}/{name}", name)
    except FileNotFoundError:
        return found
    return found


def _content(folder: int, path: str, name: str) -> bytes:
    with paths.at(name, start=folder) as descriptor, paths.content(descriptor, path) as stream:
        text = stream.read(_SIZE_LIMIT + 1)
    if len(text) > _SIZE_LIMIT:
        raise OSError(0, f"has more than {_SIZE_LIMIT} bytes", path)
    return text
