"""What lies below a directory, told by a program that runs in an image as well as outside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

# Of the standard library alone: it runs with the image's own Python.
PROGRAM = """
import hashlib, json, os, stat, sys

# What whoever runs an image puts there.
NOT_OF_THE_IMAGE = {
    "dev", "proc", "sys", "tmp", ".dockerenv", "run/.containerenv",
    "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf",
}
root = os.fsencode(sys.argv[1])
tree, first = {}, {}

def tell(path):
    place = os.path.join(root, path)
    status = os.lstat(place)
    said = [stat.filemode(status.st_mode), status.st_uid, status.st_gid]
    if stat.S_ISLNK(status.st_mode):
        said.append(os.readlink(place).decode(errors="backslashreplace"))
    if stat.S_ISREG(status.st_mode):
        with open(place, "rb") as file:
            said.append(hashlib.file_digest(file, "sha256").hexdigest())
        if "security.capability" in os.listxattr(place):
            said.append(os.getxattr(place, "security.capability").hex())
        if status.st_nlink > 1:
            said.append(first.setdefault((status.st_dev, status.st_ino), shown(path)))
    tree[shown(path)] = said
    if stat.S_ISDIR(status.st_mode):
        for name in sorted(os.listdir(place)):
            below = os.path.join(path, name)
            if shown(below) not in NOT_OF_THE_IMAGE:
                tell(below)

def shown(path):
    return path.decode(errors="backslashreplace")

tell(b"")
json.dump(tree, sys.stdout)
"""

Tree = Mapping[str, tuple[object, ...]]  # by path: type, mode, owner, and what else there is


def read_tree(printed: str) -> Tree:
    """Return the tree that the program printed."""
    return {path: tuple(said) for path, said in json.loads(printed).items()}


def tree_in(run: Callable[..., str]) -> Tree:
    """Return the tree of an image, by the command that runs another command in it."""
    return read_tree(run("python3", "-c", PROGRAM, "/"))


def tree_of(folder: Path) -> Tree:
    """Return the tree of a folder."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], check=True, stdout=subprocess.PIPE, text=True
    )
    return read_tree(done.stdout)


def difference(one: Tree, other: Tree) -> dict[str, tuple[object, object]]:
    """Return the paths that are not the same in both, and what they are here and there."""
    return {
        path: (one.get(path), other.get(path))
        for path in sorted(one.keys() | other.keys())
        if one.get(path) != other.get(path)
    }
