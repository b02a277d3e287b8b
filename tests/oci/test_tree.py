"""Trees read from directories and overlays, and merged."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from lamina.errors import StoreError
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.tree import merge_trees, scan_tree, scan_upper


def kinds(entries: tuple[Entry, ...]) -> dict[str, EntryKind]:
    return {entry.path: entry.kind for entry in entries}


def test_entries_are_sorted_by_the_bytes_of_their_paths(tmp_path: Path) -> None:
    for name in ("b", "a-b", "😀", "B"):
        (tmp_path / name).mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").touch()
    (tmp_path / os.fsdecode(b"\xff")).touch()
    assert [entry.path for entry in scan_tree(tmp_path)] == [
        "B", "a", "a-b", "a/x", "b", "😀", os.fsdecode(b"\xff"),
    ]  # fmt: skip


def test_every_kind_of_file_is_found_and_sockets_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir(mode=0o750)
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("../anywhere")
    os.mkfifo(tmp_path / "fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        entries = {entry.path: entry for entry in scan_tree(tmp_path)}
    assert entries.keys() == {"dir", "file", "link", "fifo"}
    assert entries["dir"].kind is EntryKind.DIRECTORY
    assert entries["file"].size == 5
    assert entries["file"].source == str(tmp_path / "file")
    assert entries["link"].target == "../anywhere"
    assert (entries["fifo"].kind, entries["fifo"].size) == (EntryKind.FIFO, 0)


def test_of_hard_links_the_first_by_path_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(b"content")
    (tmp_path / "a").hardlink_to(tmp_path / "z")
    (tmp_path / "m").hardlink_to(tmp_path / "z")
    first, *links = scan_tree(tmp_path)
    assert (first.path, first.kind, first.size) == ("a", EntryKind.FILE, 7)
    assert [(link.path, link.kind, link.target) for link in links] == [
        ("m", EntryKind.HARDLINK, "a"),
        ("z", EntryKind.HARDLINK, "a"),
    ]


def test_attributes_are_kept_but_for_those_of_overlayfs(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.setxattr(file, "user.b", b"2")
    os.setxattr(file, "user.a", b"1")
    os.setxattr(file, "user.overlay.origin", b"x")
    (entry,) = scan_tree(tmp_path)
    assert entry.xattrs == (("user.a", b"1"), ("user.b", b"2"))


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        scan_tree(tmp_path / "nowhere")


def test_an_opaque_directory_is_followed_by_its_mark(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "file").touch()
    os.setxattr(tmp_path / "etc", "user.overlay.opaque", b"y")
    found = [(entry.path, entry.kind) for entry in scan_upper(tmp_path)]
    assert found == [
        ("etc", EntryKind.DIRECTORY),
        ("etc", EntryKind.OPAQUE),
        ("etc/file", EntryKind.FILE),
    ]


@pytest.mark.parametrize("mark", ["redirect", "metacopy"])
def test_an_upper_directory_without_its_content_is_told(tmp_path: Path, mark: str) -> None:
    (tmp_path / "moved").mkdir()
    os.setxattr(tmp_path / "moved", f"user.overlay.{mark}", b"/elsewhere")
    with pytest.raises(StoreError, match="redirect_dir=off,metacopy=off"):
        scan_upper(tmp_path)


def make(root: Path, files: dict[str, str]) -> Path:
    """Make files, directories (`/` at the end), links (`->`) and hard links (`=`)."""
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            place.mkdir(exist_ok=True)
        elif content.startswith("->"):
            place.symlink_to(content[2:])
        elif content.startswith("="):
            place.hardlink_to(root / content[1:])
        else:
            place.write_text(content)
    return root


MERGES = {
    "files of both": ({"a/x": "1"}, {"a/y": "2", "b/z": "3"}),
    "one file over another": ({"a/x": "upper"}, {"a/x": "lower"}),
    "a link over a directory": ({"lib": "->usr/lib", "usr/lib/": ""}, {"lib/deep/x": "hidden"}),
    "a directory over a file": ({"a/b/c": "1"}, {"a/b": "hidden"}),
    "a file over a directory": ({"a": "1"}, {"a/b/c": "hidden"}),
    "a hard link whose file is covered": (
        {"bin/a": "new"},
        {"bin/a": "old", "bin/b": "=bin/a", "bin/c": "=bin/a"},
    ),
    "a hard link that is covered": ({"bin/b": "new"}, {"bin/a": "old", "bin/b": "=bin/a"}),
}


@pytest.mark.real
@pytest.mark.parametrize("trees", MERGES.values(), ids=MERGES)
def test_merged_trees_show_what_an_overlay_of_them_shows(
    tmp_path: Path, trees: tuple[dict[str, str], dict[str, str]]
) -> None:
    upper = make(tmp_path / "upper", trees[0])
    lower = make(tmp_path / "lower", trees[1])
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.utime(path, (1_000, 1_000), follow_symlinks=False)
    overlaid = tmp_path / "overlaid"
    in_overlay(tmp_path, f"lowerdir={upper}:{lower}", f"cp -a merged {overlaid}")
    merged = merge_trees([scan_tree(upper), scan_tree(lower)])
    assert shown(merged) == shown(scan_tree(overlaid))


def shown(entries: tuple[Entry, ...]) -> list[tuple[object, ...]]:
    """What a program sees of each path."""
    return [
        (
            entry.path,
            entry.kind,
            entry.mode,
            entry.target,
            Path(entry.source).read_bytes() if entry.source else b"",
        )
        for entry in entries
    ]


def in_overlay(folder: Path, options: str, script: str) -> None:
    """Run a script in `folder`, where `merged` is an overlay mount of its own namespace."""
    (folder / "merged").mkdir(exist_ok=True)
    mount = f"mount -t overlay overlay -o {options},redirect_dir=off,metacopy=off merged"
    subprocess.run(
        ["unshare", "--mount", "sh", "-euc", f"{mount}\n{script}"], cwd=folder, check=True
    )


@pytest.mark.real
def test_what_an_overlay_removes_and_adds_becomes_whiteouts_and_entries(tmp_path: Path) -> None:
    lower = make(tmp_path / "lower", {"etc/keep": "1", "etc/gone": "2", "var/cache/x": "3"})
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    in_overlay(
        tmp_path,
        f"lowerdir={lower},upperdir={tmp_path}/upper,workdir={tmp_path}/work",
        """
        rm merged/etc/gone
        rm -r merged/var/cache; mkdir merged/var/cache; touch merged/var/cache/new
        mknod merged/null c 1 3
        """,
    )
    entries = scan_upper(tmp_path / "upper")
    assert [(entry.path, str(entry.kind)) for entry in entries] == [
        ("etc", "directory"),
        ("etc/gone", "whiteout"),
        ("null", "char"),
        ("var", "directory"),
        ("var/cache", "directory"),
        ("var/cache", "opaque"),
        ("var/cache/new", "file"),
    ]
    assert next(e.rdev for e in entries if e.path == "null") == os.makedev(1, 3)
