"""Versions of Python that packages name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.backends.deb.python_versions import default_minor, excludes, is_since


def tree(place: Path, target: str = "") -> Path:
    """Return a tree with a link of this target in place of python3, or a file there."""
    (place / "usr/bin").mkdir(parents=True)
    program = place / "usr/bin/python3"
    program.symlink_to(target) if target else program.write_text("")
    return place


@pytest.mark.parametrize(
    ("target", "minor"),
    [("python3.13", 13), ("python3.9", 9), ("", None), ("python4.1", None), ("/x/python3.1", None)],
)
def test_the_default_version_is_that_of_the_link(
    target: str, minor: int | None, tmp_path: Path
) -> None:
    assert default_minor([tmp_path / "empty", tree(tmp_path / "tree", target)]) == minor


def test_the_topmost_link_counts(tmp_path: Path) -> None:
    trees = [tree(tmp_path / name, f"python3.{name}") for name in ("13", "12")]
    assert default_minor(trees) == 13
    assert default_minor(trees[::-1]) == 12
    assert default_minor([]) is None


@pytest.mark.parametrize(
    ("versions", "minor", "within"),
    [("3.9-", 9, True), ("3.9-", 13, True), ("3.10-", 9, False), ("3.0-", None, False)],
)
def test_versions_from_one_on(versions: str, minor: int | None, within: bool) -> None:
    assert is_since(versions, minor) == within


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("", False),
        ("# dir|3.13|/usr\n", False),
        ("re|-3.6|/usr/lib/python3/dist-packages/jinja2|.*/async(support|filters).py\n", False),
        ("dir|-3.13|/usr\n", False),
        ("dir|-3.14|/usr\n", True),
        ("dir|3.6-|/usr\n", True),
        ("dir|-|/usr\n", True),
        ("dir|3.13|/usr\n", True),
        ("dir|-3.6|/usr\nfile|-4.0|/usr/x.py\n", True),
        ("-3.6\n", True),
        ("\n", True),
    ],
)
def test_a_list_may_exclude_modules_unless_it_is_for_versions_of_the_past(
    text: str, excluded: bool
) -> None:
    assert excludes(text, 13) == excluded


def test_for_an_unknown_version_any_list_may_exclude_modules() -> None:
    assert excludes("dir|-3.6|/usr\n", None)
