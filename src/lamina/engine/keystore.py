"""Takes the times out of Java keystores: a program that the image's own Python runs in the sandbox.

Java notes in a keystore when it took each certificate, so that no two are ever the same.
Source: the comment in OpenJDK's sun.security.provider.JavaKeyStore on the format JKS.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

_MAGIC, _VERSION = 0xFEEDFEED, 2
_CERTIFICATE = 2  # an entry that is trusted, without a key
_DIGEST = 20  # bytes
# The password of every system's trust store, which only tells whether the file is whole.
_SALT = "changeit".encode("utf-16-be") + b"Mighty Aphrodite"


def undated(keystore: bytes) -> bytes:
    """Return `keystore` with the start of 1970 as the time of all its certificates.

    Raises `ValueError` for what is not a whole trust store in the format JKS.
    """
    content, digest = bytearray(keystore[:-_DIGEST]), keystore[-_DIGEST:]
    if hashlib.sha1(_SALT + content, usedforsecurity=False).digest() != digest:
        raise ValueError("damaged, of another format than JKS, or with another password")
    try:
        place = _undate(content)
    except struct.error:
        place = -1
    if place != len(content):
        raise ValueError("not the entries of a trust store")
    return bytes(content) + hashlib.sha1(_SALT + content, usedforsecurity=False).digest()


def _undate(content: bytearray) -> int:
    """Overwrite the times, and return where the last entry ends."""
    magic, version, count = struct.unpack_from(">III", content)
    if (magic, version) != (_MAGIC, _VERSION):
        raise ValueError("of another format than JKS")
    place = 12
    for _ in range(count):
        (kind,) = struct.unpack_from(">I", content, place)
        if kind != _CERTIFICATE:
            raise ValueError("not only certificates are in it")
        place = _behind(content, place + 4, ">H")  # the entry's name
        struct.pack_into(">Q", content, place, 0)
        place = _behind(content, place + 8, ">H")  # the certificate's type
        place = _behind(content, place, ">I")  # the certificate
    return place


def _behind(content: bytearray, place: int, form: str) -> int:
    """Return the place behind what has its length in front of it, in this form."""
    (length,) = struct.unpack_from(form, content, place)
    return place + struct.calcsize(form) + int(length)


def main(paths: list[str]) -> int:
    """Take the times out of the keystores at `paths`; those without any stay untouched."""
    for path in paths:
        before = Path(path).read_bytes()
        try:
            after = undated(before)
        except ValueError as error:
            sys.stderr.write(f"{path}: {error}\n")
            return 1
        if after != before:
            # In place: owner, mode and names stay.
            Path(path).write_bytes(after)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
