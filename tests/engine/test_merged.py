from __future__ import annotations

from pathlib import Path

import pytest

from lamina.engine.merged import LINKS, link_above, make_links, merged

PATHS = {
    "bin/sh": "usr/bin/sh",
    "lib/x86_64-linux-gnu/libc.so.6": "usr/lib/x86_64-linux-gnu/libc.so.6",
    "lib64/ld.so": "usr/lib64/ld.so",
    # The link itself, and what only begins like one.
    "lib": "lib",
    "library/x": "library/x",
    "usr/lib/x": "usr/lib/x",
    "opt/bin/x": "opt/bin/x",
    "": "",
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_lies_where_its_link_leads(path: str) -> None:
    assert merged(path) == PATHS[path]
    assert merged(merged(path)) == merged(path)


def test_a_link_stands_at_the_beginning_of_a_path() -> None:
    assert [link_above(path) for path in ("lib", "lib/x", "libx", "usr/lib")] == ["lib"] * 2 + [
        ""
    ] * 2


def test_links_are_made_that_lead_to_something_and_that_no_package_brings(tmp_path: Path) -> None:
    upper, first, second = (tmp_path / name for name in ("upper", "first", "second"))
    for folder in (upper, first / "usr/lib", first / "usr/bin", second / "usr/sbin"):
        folder.mkdir(parents=True)
    (second / "usr/lib64").write_text("no directory")
    (second / "bin").symlink_to("usr/bin")
    make_links(upper, iter([first, second]))
    made = {path.name: str(path.readlink()) for path in upper.iterdir()}
    assert made == {"lib": "usr/lib", "sbin": "usr/sbin"}
    assert made.keys() < set(LINKS)
