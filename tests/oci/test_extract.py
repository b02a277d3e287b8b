"""Unpacking layers: as they were, and never outside the folder."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.errors import StoreError
from lamina.oci.entry import EntryKind
from lamina.oci.extract import extract_layer
from lamina.oci.layer import write_layer
from lamina.oci.layout import Layout
from lamina.oci.tree import scan_tree
from lamina.oci.untar import Limits

Member = tuple[str, bytes, str]  # name, type, link name or content


def archive(*members: Member, pax: dict[str, str] | None = None) -> bytes:
    """A gzip tar with these members, owned by whoever runs the tests."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, type_, text in members:
            info = tarfile.TarInfo()
            info.name = name
            info.type = type_
            info.mode = 0o755
            info.uid, info.gid = os.getuid(), os.getgid()
            info.pax_headers = pax or {}
            content = text.encode() if type_ == tarfile.REGTYPE else b""
            info.linkname = "" if content else text
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(stream.getvalue())


def extract(blob: bytes, into: Path, limits: Limits = Limits()) -> None:  # noqa: B008
    into.mkdir(exist_ok=True)
    extract_layer(io.BytesIO(blob), into, limits=limits)


FILE, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
HOSTILE: dict[str, tuple[Member, ...]] = {
    "dots": (("../evil", FILE, "x"),),
    "dots within": (("a/../../evil", FILE, "x"),),
    "dots at the end": (("a/..", FOLDER, ""),),
    "absolute": (("/evil", FILE, "x"),),
    "through an absolute link": (("out", LINK, "{outside}"), ("out/evil", FILE, "x")),
    "through a relative link": (("out", LINK, ".."), ("out/evil", FILE, "x")),
    "through two links": (
        ("a", LINK, "b"),
        ("b", LINK, "{outside}"),
        ("a/evil", FILE, "x"),
    ),
    "a folder through a link": (("out", LINK, "{outside}"), ("out/evil", FOLDER, "")),
    "a link through a link": (("out", LINK, "{outside}"), ("out/evil", LINK, "x")),
    "a hard link to outside": (("evil", HARD, "../outside/secret"),),
    "an absolute hard link": (("evil", HARD, "{outside}/secret"),),
    "a hard link through a link": (("out", LINK, "{outside}"), ("evil", HARD, "out/secret")),
    "a hard link into a link": (
        ("out", LINK, "{outside}"),
        ("f", FILE, "x"),
        ("out/evil", HARD, "f"),
    ),
    "a hard link to a folder": (("d", FOLDER, ""), ("evil", HARD, "d")),
    "a hard link to the root": (("evil", HARD, "."),),
    "a hard link to itself": (("f", FILE, "x"), ("f", HARD, "f")),
    "a hard link to nothing": (("evil", HARD, "nowhere"),),
    "below a file": (("f", FILE, "x"), ("f/evil", FILE, "x")),
    "a whiteout of dots": ((".wh...", FILE, ""),),
    "a whiteout of dots in a folder": (("a", FOLDER, ""), ("a/.wh...", FILE, "")),
    "a whiteout of a dot": ((".wh..", FILE, ""),),
    "a whiteout of nothing": ((".wh.", FILE, ""),),
    "a whiteout through a link": (("out", LINK, "{outside}"), ("out/.wh.secret", FILE, "")),
    "an opaque mark through a link": (
        ("out", LINK, "{outside}"),
        ("out/.wh..wh..opq", FILE, ""),
    ),
    "below a whiteout": ((".wh.a/evil", FILE, "x"),),
    "a root that is a file": (("./", FILE, "x"),),
    "a link without target": (("evil", LINK, ""),),
    "overlayfs's whiteout": (("evil", tarfile.CHRTYPE, ""),),
    "an unknown type": (("evil", b"S", ""),),
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused_and_change_nothing_outside(
    tmp_path: Path, members: tuple[Member, ...]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    before = outside.stat()
    filled = [(name, type_, text.format(outside=outside)) for name, type_, text in members]
    with pytest.raises(StoreError, match="the layer is refused"):
        extract(archive(*filled), tmp_path / "root")
    assert {path.name for path in tmp_path.iterdir()} == {"outside", "root"}
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert (outside / "secret").stat().st_nlink == 1
    assert outside.stat().st_mtime_ns == before.st_mtime_ns
    assert not (tmp_path / "root" / "evil").exists()


@pytest.mark.parametrize(
    "records",
    [
        {"path": "../evil"},
        {"path": "/evil"},
        {"path": "a\0b"},
        {"size": "-1"},
        {"size": "1e3"},
        {"GNU.sparse.major": "1"},
        {"SCHILY.xattr.trusted.overlay.redirect": "/"},
        {"SCHILY.xattr.user.overlay.opaque": "y"},
    ],
    ids=str,
)
def test_hostile_extended_headers_are_refused(tmp_path: Path, records: dict[str, str]) -> None:
    with pytest.raises(StoreError, match="the layer is refused"):
        extract(archive(("plain", FILE, "x"), pax=records), tmp_path / "root")
    assert {path.name for path in tmp_path.iterdir()} == {"root"}


def cut(blob: bytes) -> bytes:
    return gzip.compress(gzip.decompress(blob)[:700])


def flipped(blob: bytes) -> bytes:
    tar = bytearray(gzip.decompress(blob))
    tar[3] ^= 1
    return gzip.compress(bytes(tar))


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "cut gzip": lambda blob: blob[: len(blob) // 2],
    "cut tar": cut,
    "no end": lambda blob: gzip.compress(gzip.decompress(blob)[:1024]),
    "a flipped byte in gzip": lambda blob: blob[:40] + bytes([blob[40] ^ 255]) + blob[41:],
    "a wrong gzip checksum": lambda blob: blob[:-8] + b"\0\0\0\0" + blob[-4:],
    "a flipped byte in a header": flipped,
    "not gzip": lambda _blob: b"plain text, and rather a lot of it",
    "nothing": lambda _blob: b"",
    "text in gzip": lambda _blob: gzip.compress(b"x" * 2_000),
    "something after the end": lambda blob: gzip.compress(gzip.decompress(blob) + b"x" * 512),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_archives_are_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    good = archive(("file", FILE, "some content " * 40))
    with pytest.raises(StoreError, match="the layer is refused"):
        extract(damage(good), tmp_path / "root")


def test_random_damage_never_shows_a_traceback(tmp_path: Path) -> None:
    tar = gzip.decompress(
        archive(("d", FOLDER, ""), ("d/" + "n" * 150, FILE, "x" * 700), ("l", LINK, "d"))
    )
    chance = random.Random(7)
    refused = 0
    for number in range(300):
        broken = bytearray(tar)
        for _ in range(chance.randint(1, 3)):
            broken[chance.randrange(3072)] = chance.choice(b"\0 0178/.=x\xff")
        try:
            extract(gzip.compress(bytes(broken), 1), tmp_path / str(number))
        except StoreError:
            refused += 1
    assert refused > 100
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(300)}


def test_a_bomb_is_stopped_by_its_size(tmp_path: Path) -> None:
    bomb = archive(("zeros", FILE, "0" * 5_000_000))
    with pytest.raises(StoreError, match="larger than 1000000 bytes"):
        extract(bomb, tmp_path / "root", Limits(size=1_000_000))


def test_a_bomb_is_stopped_by_its_entries(tmp_path: Path) -> None:
    bomb = archive(*((f"f{number}", FILE, "") for number in range(50)))
    with pytest.raises(StoreError, match="more than 20 entries"):
        extract(bomb, tmp_path / "root", Limits(entries=20))


def test_a_bomb_in_an_extended_header_is_stopped(tmp_path: Path) -> None:
    bomb = archive(("f", FILE, ""), pax={"comment": "x" * 3_000_000})
    with pytest.raises(StoreError, match="a header of 30000"):
        extract(bomb, tmp_path / "root")


def test_names_of_other_tools_are_understood(tmp_path: Path) -> None:
    long = "n" * 200
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("./", "./d/", f"./d/{long}"):
            info = tarfile.TarInfo(name)
            info.type = FOLDER if name.endswith("/") else FILE
            info.mode, info.uid, info.gid = 0o755, os.getuid(), os.getgid()
            tar.addfile(info)
    extract(gzip.compress(stream.getvalue()), tmp_path / "root")
    assert [entry.path for entry in scan_tree(tmp_path / "root")] == ["d", f"d/{long}"]


def test_a_folder_takes_the_place_of_a_link_and_nothing_follows_it(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    members = (
        ("d", LINK, str(tmp_path / "outside")),
        ("d", FOLDER, ""),
        ("d/file", FILE, "x"),
    )
    extract(archive(*members), tmp_path / "root")
    assert (tmp_path / "root/d/file").read_text() == "x"
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_takes_the_place_of_a_link_and_does_not_write_through_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    extract(archive(("f", LINK, "../secret"), ("f", FILE, "x")), tmp_path / "root")
    assert (tmp_path / "secret").read_text() == "secret"
    assert (tmp_path / "root/f").read_text() == "x"


def test_a_file_over_a_hard_link_leaves_the_other_name_alone(tmp_path: Path) -> None:
    members = (("a", FILE, "old"), ("b", HARD, "a"), ("b", FILE, "new"))
    extract(archive(*members), tmp_path / "root")
    assert (tmp_path / "root/a").read_text() == "old"


LOWER = (
    ("etc", FOLDER, ""),
    ("etc/gone", FILE, "1"),
    ("etc/kept", FILE, "2"),
    ("var", FOLDER, ""),
    ("var/deep", FOLDER, ""),
    ("var/deep/old", FILE, "3"),
    ("var/old", FILE, "4"),
)


@pytest.mark.parametrize(
    ("upper", "left"),
    [
        (((".wh.etc", FILE, ""),), {"var", "var/deep", "var/deep/old", "var/old"}),
        (
            (("etc", FOLDER, ""), ("etc/.wh.gone", FILE, "")),
            {"etc", "etc/kept", "var", "var/deep", "var/deep/old", "var/old"},
        ),
        (
            (("var", FOLDER, ""), ("var/.wh..wh..opq", FILE, ""), ("var/new", FILE, "")),
            {"etc", "etc/gone", "etc/kept", "var", "var/new"},
        ),
        # Other tools may write the mark after the files that stay.
        (
            (
                ("var", FOLDER, ""),
                ("var/deep", FOLDER, ""),
                ("var/deep/new", FILE, ""),
                ("var/.wh..wh..opq", FILE, ""),
            ),
            {"etc", "etc/gone", "etc/kept", "var", "var/deep", "var/deep/new"},
        ),
        (
            (("var/deep/new", FILE, ""), (".wh.var", FILE, "")),
            {"etc", "etc/gone", "etc/kept", "var", "var/deep", "var/deep/new"},
        ),
        (
            ((".wh..wh..opq", FILE, ""), ("new", FILE, "")),
            {"new"},
        ),
        (((".wh.nothing", FILE, ""), ("none/.wh.x", FILE, "")), {name for name, *_ in LOWER}),
        (
            (("var", FILE, "now a file"),),
            {"etc", "etc/gone", "etc/kept", "var"},
        ),
        (
            (("etc/kept", FOLDER, ""), ("etc/kept/x", FILE, "")),
            {name for name, *_ in LOWER} | {"etc/kept/x"},
        ),
    ],
)
def test_whiteouts_remove_what_lower_layers_have(
    tmp_path: Path, upper: tuple[Member, ...], left: set[str]
) -> None:
    extract(archive(*LOWER), tmp_path / "root")
    extract(archive(*upper), tmp_path / "root")
    assert {entry.path for entry in scan_tree(tmp_path / "root")} == left


@pytest.mark.real
def test_a_tree_comes_out_as_it_went_in(tmp_path: Path, layout: Layout) -> None:
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/file").write_bytes(b"content" * 50_000)
    (tree / "a/hard").hardlink_to(tree / "a/file")
    (tree / "a/link").symlink_to("/absolute/elsewhere")
    (tree / "a/hard-link-to-link").hardlink_to(tree / "a/link")
    os.mkfifo(tree / "a/fifo", 0o620)
    os.mknod(tree / "a/block", 0o60660, os.makedev(7, 300))
    (tree / os.fsdecode(b"\xff\n")).touch(mode=0o000)
    os.setxattr(tree / "a", "user.folder", b"\0")
    os.setxattr(tree / "a/link", "trusted.x", b"y", follow_symlinks=False)
    os.setxattr(
        tree / "a/file",
        "security.capability",
        bytes.fromhex("0100000200040000000000000000000000000000"),
    )
    os.chown(tree / "a/link", 12, 34, follow_symlinks=False)
    os.chown(tree / "a/b", 4_000_000, 56)
    (tree / "a/b").chmod(0o2550)
    for number, path in enumerate(sorted(tree.rglob("*"), reverse=True)):
        os.utime(path, (1_000 + number, 1_000 + number), follow_symlinks=False)
    layer = write_layer(scan_tree(tree), layout, mtime_limit=2**33)
    out = tmp_path / "out"
    out.mkdir()
    with layout.open_blob(layer.digest) as blob:
        extract_layer(blob, out)
    assert write_layer(scan_tree(out), layout, mtime_limit=2**33) == layer
    assert {e.path for e in scan_tree(out) if e.kind is EntryKind.HARDLINK} == {
        "a/hard",
        "a/link",
    }
