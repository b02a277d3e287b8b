"""Units of artifacts: what of a release goes where, in every form that publishers use."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.artifacts.releases import (
    PACKED,
    dump,
    exporter,
    grafana,
    kafka,
    lego,
    line,
    made,
    packed,
    program,
    prometheus,
    streamed,
    zipped,
)
from tests.backends.packages import LONG_AGO, file, folder, hard_link, link, tarball

from lamina.engine.unit import Directory, read_facts
from lamina.errors import BuildError
from lamina.model.lock import UnitKind

pytestmark = pytest.mark.real

ENDINGS = (*PACKED, ".zip")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_is_taken_out_of_a_release(ending: str, tmp_path: Path) -> None:
    content = packed(exporter(), ending)
    source = "memcached_exporter-0.15.5.linux-amd64/memcached_exporter"
    tree, facts = made(content, f"e{ending}", tmp_path, line(source, "/usr/bin/memcached_exporter"))
    assert dump(tree) == [
        "drwxr-xr-x 0:0 +0 usr/",
        "drwxr-xr-x 0:0 +0 usr/bin/",
        "-rwxr-xr-x 0:0 +0 usr/bin/memcached_exporter = b'#!/bin/sh\\necho memcached_exporter\\n'",
    ]
    assert facts.kind is UnitKind.ARTIFACT
    assert facts.name == facts.instance == "artifact:sample"
    assert facts.version == "1.0"
    assert facts.epoch == LONG_AGO
    assert facts.size == 34
    assert facts.files == ("usr/bin/memcached_exporter",)
    assert facts.directories == (
        Directory("usr", 0o755, 0, 0),
        Directory("usr/bin", 0o755, 0, 0),
    )
    assert (facts.links, facts.conffiles, facts.husk, facts.real) == ((), (), "", "")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_folder_of_a_release_goes_to_a_folder(ending: str, tmp_path: Path) -> None:
    tree, facts = made(
        packed(kafka(), ending),
        f"kafka{ending}",
        tmp_path,
        line("kafka_2.13-4.0.0/", "/opt/kafka/", None, "site-docs", "bin/windows/*", uid=42423),
    )
    mine = "42423:42423 +0 opt/kafka"
    jar = "b'PK\\x05\\x06" + "\\x00" * 18 + "'"
    assert dump(tree) == [
        "drwxr-xr-x 0:0 +0 opt/",
        f"drwxr-xr-x {mine}/",
        f"-rw-r--r-- {mine}/LICENSE = b'content\\n'",
        f"drwxr-xr-x {mine}/bin/",
        f"-rwxr-xr-x {mine}/bin/kafka-run-class.sh = b'#!/bin/sh\\necho kafka-run-class.sh\\n'",
        f"-rwxr-xr-x {mine}/bin/kafka-server-start.sh"
        " = b'#!/bin/sh\\necho kafka-server-start.sh\\n'",
        f"lrwxrwxrwx {mine}/bin/libs -> ../libs",
        f"drwxr-xr-x {mine}/bin/windows/",
        f"drwxr-xr-x {mine}/config/",
        f"-rw-r--r-- {mine}/config/server.properties = b'process.roles=broker\\n'",
        f"drwxr-xr-x {mine}/libs/",
        f"lrwxrwxrwx {mine}/libs/kafka.jar -> kafka_2.13-4.0.0.jar",
        f"-rw-r--r-- {mine}/libs/kafka_2.13-4.0.0.jar = {jar}",
    ]
    assert facts.links == ("opt/kafka/bin/libs", "opt/kafka/libs/kafka.jar")


def test_a_plain_program_is_the_file_itself(tmp_path: Path) -> None:
    content = b"\x7fELF" + bytes(100)
    tree, facts = made(content, "v1/cadvisor-v1-linux-amd64", tmp_path, line("", "/opt/cadvisor"))
    assert (tree / "opt/cadvisor").read_bytes() == content
    assert stat_of(tree / "opt/cadvisor") == (0o755, 0)
    assert facts.epoch == 0


def stat_of(path: Path) -> tuple[int, int]:
    """Return mode and time of a file."""
    return path.stat().st_mode & 0o7777, int(path.stat().st_mtime)


def test_a_plain_program_is_of_the_day_that_the_catalogue_tells(tmp_path: Path) -> None:
    tree, facts = made(b"x", "plain", tmp_path, line("", "/usr/bin/x", 0o4750), date=LONG_AGO)
    assert stat_of(tree / "usr/bin/x") == (0o4750, LONG_AGO)
    assert stat_of(tree / "usr/bin")[1] == facts.epoch == LONG_AGO


def test_several_lines_take_what_they_want(tmp_path: Path) -> None:
    top = "prometheus-3.5.4.linux-amd64"
    tree, _ = made(
        packed(prometheus(), ".tar.gz"),
        "prometheus.tar.gz",
        tmp_path,
        line(f"{top}/prom*", "/usr/bin/"),
        line(f"{top}/prometheus.yml", "/etc/prometheus/prometheus.yml", 0o640, uid=42472),
        line(f"{top}/consoles/", "/etc/prometheus/consoles/"),
    )
    assert [entry.partition(" = ")[0] for entry in dump(tree)] == [
        "drwxr-xr-x 0:0 +0 etc/",
        "drwxr-xr-x 0:0 +0 etc/prometheus/",
        "drwxr-xr-x 0:0 +0 etc/prometheus/consoles/",
        "-rw-r--r-- 0:0 +0 etc/prometheus/consoles/node.html",
        "-rw-r----- 42472:42472 +0 etc/prometheus/prometheus.yml",
        "drwxr-xr-x 0:0 +0 usr/",
        "drwxr-xr-x 0:0 +0 usr/bin/",
        "-rwxr-xr-x 0:0 +0 usr/bin/prometheus",
        "-rw-r--r-- 0:0 +0 usr/bin/prometheus.yml",
        "-rwxr-xr-x 0:0 +0 usr/bin/promtool",
    ]


def test_a_release_without_a_folder_is_taken_as_a_whole(tmp_path: Path) -> None:
    tree, _ = made(packed(lego(), ".tar.gz"), "lego.tar.gz", tmp_path, line("./", "/opt/lego/"))
    assert [str(path.relative_to(tree)) for path in sorted(tree.rglob("*"))] == [
        *("opt", "opt/lego", "opt/lego/CHANGELOG.md", "opt/lego/LICENSE", "opt/lego/lego"),
    ]


def test_a_hard_link_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    tree, facts = made(
        packed(grafana(), ".tar.gz"),
        "grafana.tar.gz",
        tmp_path,
        line("grafana-12.3.0/bin/grafana-server", "/usr/sbin/grafana-server"),
        line("grafana-*/", "/usr/share/grafana/", None, "bin/grafana-server"),
    )
    first, second = tree / "usr/sbin/grafana-server", tree / "usr/share/grafana/bin/grafana"
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_nlink == 1
    assert stat_of(first)[0] == stat_of(second)[0] == 0o755
    assert facts.size == sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    deep = f"public/build/static/{'x' * 90}/{'y' * 90}.js"
    assert (tree / "usr/share/grafana" / deep).read_bytes() == b"content\n"
    assert (tree / "usr/share/grafana/public/img/größe.svg").is_file()


def test_a_member_may_go_to_several_places(tmp_path: Path) -> None:
    tree, _ = made(
        packed(lego(), ".tar.xz"),
        "lego.tar.xz",
        tmp_path,
        line("lego", "/usr/bin/lego"),
        line("lego", "/usr/local/bin/lego", 0o700, uid=5),
    )
    both = [entry for entry in dump(tree) if "lego" in entry]
    assert both == [
        "-rwxr-xr-x 0:0 +0 usr/bin/lego = b'#!/bin/sh\\necho lego\\n'",
        "-rwx------ 5:5 +0 usr/local/bin/lego = b'#!/bin/sh\\necho lego\\n'",
    ]


def test_a_mode_that_is_stated_may_be_special(tmp_path: Path) -> None:
    special = packed([replace(program("a"), mode=0o4755)], ".tar")
    tree, _ = made(special, "a.tar", tmp_path, line("a", "/usr/bin/a", 0o4755))
    assert stat_of(tree / "usr/bin/a")[0] == 0o4755


def test_a_special_mode_of_what_stays_away_does_no_harm(tmp_path: Path) -> None:
    items = [replace(program("x/chrome-sandbox"), mode=0o4755), file("x/y")]
    tree, _ = made(packed(items, ".tar"), "a.tar", tmp_path, line("x/", "/opt/", None, "chrome*"))
    assert [path.name for path in (tree / "opt").iterdir()] == ["y"]


def test_times_end_with_the_newest_file_that_is_installed(tmp_path: Path) -> None:
    items = [
        replace(file("a/old"), mtime=LONG_AGO - 50),
        replace(file("a/new"), mtime=LONG_AGO + 50),
        replace(file("a/left-out"), mtime=LONG_AGO + 99),
        replace(folder("a/"), mtime=LONG_AGO + 99),
    ]
    content = packed(items, ".tar.gz")
    tree, facts = made(content, "a.tgz", tmp_path / "1", line("a/", "/a/", None, "left-out"))
    assert facts.epoch == LONG_AGO + 50
    assert [entry.partition(" = ")[0] for entry in dump(tree)] == [
        "drwxr-xr-x 0:0 +50 a/",
        "-rw-r--r-- 0:0 +50 a/new",
        "-rw-r--r-- 0:0 -50 a/old",
    ]
    tree, facts = made(
        content, "a.tgz", tmp_path / "2", line("a/", "/a/", None, "left-out"), date=LONG_AGO
    )
    assert facts.epoch == LONG_AGO
    assert [entry.partition(" = ")[0] for entry in dump(tree)] == [
        "drwxr-xr-x 0:0 +0 a/",
        "-rw-r--r-- 0:0 +0 a/new",
        "-rw-r--r-- 0:0 -50 a/old",
    ]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_unit_does_not_depend_on_the_order_of_members_or_on_the_umask(
    umask: int, tmp_path: Path
) -> None:
    install = line("kafka_2.13-4.0.0/", "/opt/kafka/")
    expected = made(packed(kafka(), ".tar"), "k.tar", tmp_path / "a", install)
    before = os.umask(umask)
    try:
        other = made(packed(reversed(kafka()), ".tar"), "k.tar", tmp_path / "b", install)
    finally:
        os.umask(before)
    assert dump(expected[0]) == dump(other[0])
    assert replace(expected[1], digest=other[1].digest) == other[1]
    assert (tmp_path / "a/unit/tree").stat().st_mode == (tmp_path / "b/unit/tree").stat().st_mode


def test_what_tar_itself_writes_is_read(tmp_path: Path) -> None:
    source = tmp_path / "source" / "tool-1.0"
    (source / "bin").mkdir(parents=True)
    (source / "bin" / "tool").write_bytes(b"x" * 100_000)
    (source / "bin" / "tool").chmod(0o755)
    os.link(source / "bin" / "tool", source / "bin" / "other")
    (source / "latest").symlink_to("bin/tool")
    for form in ("gnu", "ustar", "pax"):
        for way, ending in (("--gzip", "tgz"), ("--xz", "txz"), ("--bzip2", "tbz2")):
            file = tmp_path / f"tool-{form}.{ending}"
            call = ["tar", f"--format={form}", way, "-cf", str(file), "-C", str(source.parent)]
            subprocess.run([*call, "tool-1.0"], check=True)
            place = tmp_path / f"{form}-{ending}"
            tree, _ = made(file.read_bytes(), file.name, place, line("tool-1.0/", "/opt/"))
            assert (tree / "opt/bin/other").read_bytes() == b"x" * 100_000
            assert (tree / "opt/latest").readlink() == Path("bin/tool")


def test_what_zip_itself_writes_is_read(tmp_path: Path) -> None:
    if not shutil.which("zip"):
        pytest.skip("there is no zip(1) here; Python's is tested for all releases")
    source = tmp_path / "source"
    source.mkdir()
    (source / "tool").write_bytes(b"x" * 100_000)
    (source / "tool").chmod(0o755)
    call = ["zip", "-q", "-r", str(tmp_path / "tool.zip"), "."]
    subprocess.run(call, cwd=source, check=True)
    content = (tmp_path / "tool.zip").read_bytes()
    tree, _ = made(content, "tool.zip", tmp_path / "unit", line("tool", "/usr/bin/tool"))
    assert stat_of(tree / "usr/bin/tool")[0] == 0o755


def test_a_zip_archive_may_have_streamed_members_and_a_comment(tmp_path: Path) -> None:
    content = streamed(exporter(), comment=b"0123456789abcdef")
    source = "memcached_exporter-0.15.5.linux-amd64/memcached_exporter"
    tree, _ = made(content, "e.zip", tmp_path, line(source, "/usr/bin/e", 0o755))
    assert (tree / "usr/bin/e").read_bytes() == b"#!/bin/sh\necho memcached_exporter\n"


def test_facts_survive_their_file(tmp_path: Path) -> None:
    _, facts = made(packed(lego(), ".tar"), "lego.tar", tmp_path, line("lego", "/usr/bin/lego"))
    (tmp_path / "unit.json").write_text(facts.to_json())
    assert read_facts(tmp_path) == facts


MISPLACED = {
    "a file that is not there": ([line("lega", "/usr/bin/lego")], "did you mean 'lego'?"),
    "a folder that is not there": (
        [line("bin/", "/usr/bin/")],
        "it has: CHANGELOG.md, LICENSE, lego",
    ),
    "a file taken for a folder": ([line("lego/", "/opt/")], "there is no folder 'lego/' in it"),
    "a glob that fits nothing": ([line("*.txt", "/usr/share/")], "no file '*.txt'"),
    "a glob that does not go into folders": ([line("*/lego", "/usr/bin/")], "no file '*/lego'"),
    "a glob of several files for one": ([line("*", "/usr/bin/lego")], "is 3 files"),
    "two files for one place": (
        [line("lego", "/usr/bin/lego"), line("l*", "/usr/bin/")],
        "two of its files go to /usr/bin/lego",
    ),
    "a file below a file": (
        [line("lego", "/opt/lego"), line("LICENSE", "/opt/lego/LICENSE")],
        "/opt/lego is a file of it, and /opt/lego/LICENSE lies below",
    ),
    "a folder of two owners": (
        [line("./", "/opt/lego/"), line("./", "/opt/lego/", uid=3)],
        "to different owners",
    ),
}


@pytest.mark.parametrize("case", MISPLACED)
def test_what_cannot_be_placed_is_told_with_a_remedy(case: str, tmp_path: Path) -> None:
    install, fault = MISPLACED[case]
    with pytest.raises(BuildError) as error:
        made(packed(lego(), ".tar.gz"), "lego.tar.gz", tmp_path, *install)
    assert str(error.value).startswith("artifact sample 1.0: ")
    assert fault in str(error.value)
    assert error.value.faults[0].remedy


LINKS = {
    "a link alone": (line("a/link", "/usr/bin/link"), "'a/link' is a link to 'b/file'"),
    "a link without what it leads to": (line("a/l*", "/usr/bin/"), "which does not come along"),
    "a folder with a link out of it": (line("a/b/", "/opt/"), "'a/b/up' is a link to '../file'"),
    "a folder with a link out of it and back": (
        line("a/c/", "/opt/"),
        "'a/c/back' is a link to '../c/file'",
    ),
    "a folder with a link out of it through a link": (
        line("a/d/", "/opt/"),
        "'a/d/out' is a link to",
    ),
    "a link beside what stays away": (line("a/e/x*", "/opt/"), "'a/e/x' is a link to 'y'"),
    "a link to the folder itself": (line("a/f/*", "/opt/"), "'a/f/x' is a link to '..'"),
}


@pytest.mark.parametrize("case", LINKS)
def test_a_link_comes_along_only_with_what_it_leads_to(case: str, tmp_path: Path) -> None:
    items = [
        *(file("a/file"), file("a/b/file"), link("a/link", "b/file"), link("a/b/up", "../file")),
        *(file("a/c/file"), link("a/c/back", "../c/file")),
        *(folder("a/d/e/"), link("a/d/deep", "e"), link("a/d/out", "deep/../../d/e")),
        *(file("a/e/y"), link("a/e/x", "y"), link("a/f/x", "..")),
    ]
    install, fault = LINKS[case]
    with pytest.raises(BuildError) as error:
        made(tarball(items), "a.tar", tmp_path, install)
    assert fault in str(error.value)


def test_links_beside_each_other_come_along_in_a_glob(tmp_path: Path) -> None:
    items = [file("lib/x.so.1.2"), link("lib/x.so.1", "x.so.1.2"), link("lib/x.so", "x.so.1")]
    tree, _ = made(tarball(items), "x.tar", tmp_path, line("lib/x.so*", "/usr/lib/x/"))
    assert (tree / "usr/lib/x/x.so").read_bytes() == b"content\n"


def test_a_hard_link_to_what_stays_away_brings_its_content(tmp_path: Path) -> None:
    items = [file("a", b"both"), hard_link("b/c", "a")]
    tree, _ = made(tarball(items), "x.tar", tmp_path, line("b/", "/opt/"))
    assert (tree / "opt/c").read_bytes() == b"both"


def test_zip_members_without_a_mode_are_no_programs_unless_it_is_stated(tmp_path: Path) -> None:
    content = streamed([file("a"), file("b")])
    tree, _ = made(content, "x.zip", tmp_path, line("a", "/a/a"), line("b", "/a/b", 0o755))
    assert stat_of(tree / "a/b")[0] == 0o755
    assert stat_of(tree / "a/a")[0] == 0o644
    assert zipped([file("a")]) != content
