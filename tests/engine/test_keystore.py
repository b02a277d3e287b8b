from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.engine import keystore
from lamina.engine.keystore import main, undated

PASSWORD = "changeit"
ENTRIES = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=40)), max_size=4)
TIMES = st.lists(st.integers(0, 2**63), min_size=4, max_size=4)


def utf(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def store(
    entries: Sequence[tuple[str, bytes]],
    times: Sequence[int],
    *,
    kind: int = 2,
    version: int = 2,
    behind: bytes = b"",
    password: str = PASSWORD,
) -> bytes:
    """Return a keystore as Java writes it."""
    content = struct.pack(">III", 0xFEEDFEED, version, len(entries))
    for (name, certificate), time in zip(entries, times, strict=False):
        content += struct.pack(">I", kind) + utf(name) + struct.pack(">Q", time) + utf("X.509")
        content += struct.pack(">I", len(certificate)) + certificate
    content += behind
    salt = password.encode("utf-16-be") + b"Mighty Aphrodite"
    return content + hashlib.sha1(salt + content).digest()


@given(ENTRIES, TIMES, TIMES)
def test_only_the_times_are_taken_out(
    entries: list[tuple[str, bytes]], times: list[int], others: list[int]
) -> None:
    assert undated(store(entries, times)) == store(entries, [0] * 4)
    assert undated(store(entries, others)) == undated(store(entries, times))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "damaged"),
        (store([("a", b"c")], [7])[:-1], "damaged"),
        (b"\x30\x82" + store([("a", b"c")], [7]), "damaged"),
        (store([("a", b"c")], [7], password="secret"), "another password"),
        (store([("a", b"c")], [7], version=1), "another format"),
        (store([("a", b"c")], [7], kind=1), "not only certificates"),
        (store([("a", b"c")], [7], behind=b"more"), "not the entries"),
        (store([("a", b"c"), ("b", b"d")], [7]), "not the entries"),
    ],
)
def test_what_is_no_whole_trust_store_is_refused(content: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        undated(content)


def test_a_keystore_without_times_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "cacerts"
    file.write_bytes(store([("a", b"c")], [7]))
    assert main([str(file)]) == 0
    assert file.read_bytes() == store([("a", b"c")], [0])

    written = file.stat().st_mtime_ns
    assert main([str(file)]) == 0
    assert file.stat().st_mtime_ns == written


def test_the_program_needs_nothing_but_python(tmp_path: Path) -> None:
    """It runs by an image's Python, where there is no lamina."""
    file = tmp_path / "cacerts"
    file.write_bytes(store([("a", b"c")], [7]))
    program = Path(keystore.__file__).read_text()
    subprocess.run([sys.executable, "-I", "-S", "-c", program, str(file)], check=True)
    assert file.read_bytes() == store([("a", b"c")], [0])


def test_a_refusal_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cacerts"
    file.write_bytes(b"PKCS12?")
    assert main([str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"{file}: damaged, of another format")
    assert file.read_bytes() == b"PKCS12?"
