from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.engine.overlays import directories, facts_of, overlay, shown

from lamina.engine.delta import clamp_times, drop, finder, make_directories, redundant
from lamina.engine.stack import EMPTY, Stack, corrections, over, unshareable
from lamina.engine.unit import Directory
from lamina.oci.entry import EntryKind
from lamina.oci.tree import scan_tree, scan_upper

pytestmark = pytest.mark.real

Tree = dict[str, tuple[str, int, str]]  # path to kind, mode, content or target

BASE: Tree = {
    "d": ("dir", 0o755, ""),
    "d/file": ("file", 0o644, "content"),
    "d/link": ("link", 0, "file"),
    "d/sub": ("dir", 0o2775, ""),
    "d/sub/one": ("file", 0o755, "one"),
    "empty": ("dir", 0o755, ""),
    "fifo": ("fifo", 0o600, ""),
}

PYTHON = f"{sys.executable} -c 'import os;'"  # the shell joins this and what follows

# What a script does, and what is left of it in the delta.
CASES: dict[str, tuple[str, set[str]]] = {
    "nothing": (":", set()),
    "a new file": ("echo x > d/new", {"d", "d/new"}),
    "other content": ("echo x > d/file", {"d", "d/file"}),
    "other content of the same size": ("printf CONTENT > d/file", {"d", "d/file"}),
    "the same content again": ("printf content > d/file", set()),
    "a copy in its own place": ("cp -p d/file d/f2; mv d/f2 d/file", set()),
    "only times": ("touch d/file d/sub d", set()),
    "another mode": ("chmod 600 d/file", {"d", "d/file"}),
    "a mode changed and changed back": ("chmod 600 d/file; chmod 644 d/file", set()),
    "another owner": ("chown 7:8 d/file", {"d", "d/file"}),
    "another owner of a directory": ("chown 7:8 d/sub", {"d", "d/sub"}),
    "another mode of a directory": ("chmod 700 d/sub", {"d", "d/sub"}),
    "an attribute": (f"{PYTHON}'os.setxattr(\"d/file\", \"user.x\", b\"1\")'", {"d", "d/file"}),
    "a new link": ("ln -s x d/new", {"d", "d/new"}),
    "another target": ("ln -sf other d/link", {"d", "d/link"}),
    "the same target": ("ln -sf file d/link", set()),
    "a file gone": ("rm d/file", {"d", "d/file"}),
    "a file come and gone": ("touch d/new; rm d/new", set()),
    "a tree come and gone": ("mkdir -p d/x/y; touch d/x/y/z; rm -r d/x", set()),
    "a tree gone": ("rm -r d/sub", {"d", "d/sub"}),
    "all gone": ("rm -r d", {"d"}),
    "a directory made anew": ("rmdir empty; mkdir empty", {"empty", "empty (opaque)"}),
    "a tree made anew the same": (
        "cp -a d/sub x; rm -r d/sub; mv x d/sub",
        {"d", "d/sub", "d/sub (opaque)", "d/sub/one"},
    ),
    "a file in place of a directory": ("rm -r d/sub; echo > d/sub", {"d", "d/sub"}),
    "a directory in place of a file": (
        "rm d/file; mkdir d/file",
        {"d", "d/file", "d/file (opaque)"},
    ),
    "a link in place of a directory": ("rm -r d/sub; ln -s . d/sub", {"d", "d/sub"}),
    "a hard link": ("ln d/file d/again", {"d", "d/again", "d/file"}),
    "a hard link to a file that is the same": ("touch d/file; ln d/file z", {"d", "d/file", "z"}),
    "a fifo": ("mkfifo d/new", {"d", "d/new"}),
    "the same fifo": ("rm fifo; mkfifo -m 600 fifo", set()),
    "a new directory within": ("mkdir d/sub/x", {"d", "d/sub", "d/sub/x"}),
}  # fmt: skip


def grow(tree: Tree, root: Path) -> Path:
    root.mkdir()
    for path, (kind, mode, content) in tree.items():
        place = root / path
        match kind:
            case "dir":
                place.mkdir()
            case "link":
                place.symlink_to(content)
                continue
            case "fifo":
                os.mkfifo(place)
            case _:
                place.write_text(content)
        place.chmod(mode)
    return root


def left(upper: Path) -> set[str]:
    return {
        f"{e.path} (opaque)" if e.kind is EntryKind.OPAQUE else e.path for e in scan_upper(upper)
    }


def run_in(root: Path, script: str) -> None:
    status = os.spawnlp(
        os.P_WAIT, "sh", "sh", "-euc", f'umask 022; cd "$1"; {script}', "sh", str(root)
    )
    assert status == 0


@pytest.mark.parametrize("case", CASES)
def test_a_delta_has_what_was_changed_and_no_more(case: str, tmp_path: Path) -> None:
    script, kept = CASES[case]
    lower, upper = grow(BASE, tmp_path / "lower"), tmp_path / "upper"
    upper.mkdir()
    with overlay(upper, [lower], tmp_path / "mount") as root:
        run_in(root, script)
        before = shown(root)
    changes = scan_upper(upper)
    drop(upper, redundant(changes, finder([lower])))
    assert left(upper) == kept
    with overlay(upper, [lower], tmp_path / "mount") as root:
        assert shown(root) == before


def test_sockets_are_removed(tmp_path: Path) -> None:
    lower, upper = grow(BASE, tmp_path / "lower"), tmp_path / "upper"
    upper.mkdir()
    with overlay(upper, [lower], tmp_path / "mount") as root:
        for place in ("d/sub/socket", "socket"):
            # From within, because a socket's path may be no longer than 107 bytes.
            with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(root):
                server.bind(place)
    drop(upper, redundant(scan_upper(upper), finder([lower])))
    assert not list(upper.iterdir())


def test_files_with_the_same_times_and_sizes_are_still_compared(tmp_path: Path) -> None:
    # As with filecmp, whose memory goes by name, size and time.
    for content in (b"content", b"CONTENT"):
        lower, upper = grow(BASE, tmp_path / "lower"), tmp_path / "upper"
        (upper / "d").mkdir(parents=True)
        (upper / "d/file").write_bytes(content)
        for place in (upper, lower):
            (place / "d/file").chmod(0o644)
            os.utime(place / "d/file", (1, 1))
        dropped = redundant(scan_upper(upper), finder([lower]))
        assert ("d/file" in dropped) is (content == b"content")
        shutil.rmtree(lower)
        shutil.rmtree(upper)


def test_a_finder_sees_what_overlayfs_shows(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    trees: Sequence[Tree] = [
        {"a": ("dir", 0o755, ""), "f": ("dir", 0o755, "")},
        {"a": ("link", 0, str(outside)), "b": ("link", 0, str(outside)), "f": ("file", 0o644, "")},
        {
            "a": ("dir", 0o755, ""),
            "a/deep": ("file", 0o644, ""),
            "b": ("dir", 0o755, ""),
            "b/deep": ("file", 0o644, ""),
            "c": ("dir", 0o755, ""),
            "c/deep": ("file", 0o644, ""),
            "f": ("dir", 0o755, ""),
            "f/deep": ("file", 0o644, ""),
            "g": ("dir", 0o755, ""),
            "g/deep": ("file", 0o644, ""),
            "h": ("file", 0o644, ""),
        },
    ]
    lowers = [grow(tree, tmp_path / str(number)) for number, tree in enumerate(trees)]
    (lowers[0] / "c").mkdir()
    os.setxattr(lowers[0] / "c", "trusted.overlay.opaque", b"y")
    for name in ("g", "h"):
        os.mknod(lowers[0] / name, stat.S_IFCHR, os.makedev(0, 0))
    find = finder(lowers)
    found = {
        path: find(path)
        for path in ["a", "a/deep", "a/secret", "b", "b/deep", "b/secret", "c", "c/deep"]
    }
    assert found == {
        "a": lowers[0] / "a",
        "a/deep": None,  # a link lies between
        "a/secret": None,
        "b": lowers[1] / "b",
        "b/deep": None,
        "b/secret": None,
        "c": lowers[0] / "c",
        "c/deep": None,  # the directory over it shows nothing of it
    }
    assert find("f") == lowers[0] / "f"
    assert [find(path) for path in ("f/deep", "g", "g/deep", "h", "nothing", "no/thing")] == [
        None
    ] * 6


def test_directories_are_made_with_what_is_known(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make_directories(
            tmp_path,
            [Directory("a/b", 0o2775, 7, 8), Directory("x/y/z", 0o700, 0, 0)],
            {"a": Directory("a", 0o711, 3, 4), "x": Directory("x", 0o750, 0, 0)},
        )
    finally:
        os.umask(before)
    assert directories(tmp_path) == {
        "a": Directory("a", 0o711, 3, 4),
        "a/b": Directory("a/b", 0o2775, 7, 8),
        "x": Directory("x", 0o750, 0, 0),
        "x/y": Directory("x/y", 0o755, 0, 0),
        "x/y/z": Directory("x/y/z", 0o700, 0, 0),
    }


def test_times_are_clamped_on_disk_and_in_the_entries(tmp_path: Path) -> None:
    grow({"d": ("dir", 0o755, ""), "d/new": ("file", 0o644, ""), "d/old": ("file", 0o644, "")},
         tmp_path / "upper")  # fmt: skip
    upper = tmp_path / "upper"
    (upper / "d/link").symlink_to("/nowhere")
    os.mknod(upper / "gone", stat.S_IFCHR, os.makedev(0, 0))
    os.utime(upper / "d/old", (500, 500))
    clamped = clamp_times(upper, scan_upper(upper), 1000)
    assert [e.path for e in clamped] == [e.path for e in scan_upper(upper)]
    times = {e.path: e.mtime for e in clamped}
    assert times == {"d": 1000, "d/link": 1000, "d/new": 1000, "d/old": 500, "gone": 1000}
    for path in ("d", "d/link", "d/new", "d/old"):
        assert (upper / path).lstat().st_mtime_ns == times[path] * 10**9


NAMES = ["a", "b", "c"]
modes = st.sampled_from([0o755, 0o700])
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree: Tree = {}
    for path in draw(st.lists(paths, max_size=6)):
        parts = path.split("/")
        above = ["/".join(parts[:n]) for n in range(1, len(parts))]
        if path in tree or any(tree.get(p, ("dir",))[0] != "dir" for p in above):
            continue
        for folder in above:
            tree.setdefault(folder, ("dir", draw(modes), ""))
        kind = draw(st.sampled_from(["dir", "dir", "file", "file", "link", "fifo"]))
        tree[path] = (kind, draw(modes), draw(st.sampled_from(["a", "b"])))
    return dict(sorted(tree.items()))


operations = st.lists(
    st.tuples(
        st.sampled_from(
            ["write", "write", "remove", "mkdir", "link", "hard", "mode", "owner", "touch",
             "rename", "again", "fifo"]
        ),
        paths,
        paths,
        st.sampled_from(["a", "b"]),
    ),
    max_size=8,
)  # fmt: skip


def operate(root: Path, operation: str, path: str, other: str, content: str) -> None:
    place, target = root / path, root / other
    match operation:
        case "write":
            if not place.is_symlink() and not place.is_fifo():
                place.write_text(content)
                place.chmod(0o755)
        case "remove":
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()
        case "mkdir":
            place.mkdir(parents=True)
        case "link":
            place.symlink_to(content)
        case "hard":
            os.link(place, target, follow_symlinks=False)
        case "mode":
            place.chmod(0o700)
        case "owner":
            os.chown(place, 7, 7, follow_symlinks=False)
        case "touch":
            os.utime(place, follow_symlinks=False)
        case "rename":
            place.rename(target)
        case "fifo":
            os.mkfifo(place, 0o755)
        case _:  # all of a tree away, and there again
            copy = root / "copy"
            shutil.copytree(place, copy, symlinks=True)
            shutil.rmtree(place)
            copy.rename(place)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.lists(st.tuples(st.lists(trees(), max_size=3), operations), min_size=1, max_size=3))
def test_images_over_images_show_what_their_builds_left(
    images: Sequence[tuple[Sequence[Tree], Sequence[tuple[str, str, str, str]]]],
) -> None:
    stack: Stack = EMPTY
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bottom").mkdir()
        for number, (grown, steps) in enumerate(images):
            roots = [grow(tree, folder / f"tree-{number}-{n}") for n, tree in enumerate(grown)]
            units = {str(root): facts_of(root.name, root) for root in roots}
            # What dpkg would have to unpack itself is left out here.
            while bad := unshareable(stack, units, ()):
                units.pop(min(bad))
            facts = list(units.values())
            lowers = [Path(key) for key in units]
            below = [*lowers, *stack.lowers, folder / "bottom"]
            upper = folder / f"upper-{number}"
            upper.mkdir()
            make_directories(upper, corrections(stack, facts, facts), stack.directories)
            with overlay(upper, below, folder / "mount") as root:
                unpacked = directories(root)
                for step in steps:
                    with suppress(OSError, shutil.Error):
                        operate(root, *step)
                before = shown(root)
            # As dpkg has it: what is there stays, of the new ones the first counts.
            expected = dict(stack.directories)
            for directory in (d for unit in facts for d in unit.directories):
                expected.setdefault(directory.path, directory)
            assert unpacked == expected
            drop(upper, redundant(scan_upper(upper), finder(below)))
            changes = scan_upper(upper)
            with overlay(upper, below, folder / "mount") as root:
                assert shown(root) == before
                now = directories(root)
                links = {path for path in before if stat.S_ISLNK(before[path][0])}
            again = redundant(changes, finder(below))
            assert not again
            shared = dict(zip(lowers, facts, strict=True))
            stack = over(stack, delta=upper, changes=changes, units=facts, trees=shared)
            assert stack.directories == now
            assert links <= stack.links
            assert {e.path for e in scan_tree(upper)}.isdisjoint({"copy"} - before.keys())
