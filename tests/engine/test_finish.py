from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.boxes import VARIABLES, Workbench
from tests.engine.test_keystore import store

from lamina.engine.finish import file_binds, finish_calls
from lamina.engine.sandbox import Call, run
from lamina.model.catalog import PathRule
from lamina.model.digest import Digest
from lamina.model.image import FileCopy, Image, ImageId, Kind

RULES = (
    PathRule(glob="/var/log/*.log", action="empty", why="logs"),
    PathRule(glob="/var/cache/*", action="remove", why="caches"),
    PathRule(glob="/etc/keys/*", action="undate", why="times"),
)


def image(
    *,
    files: tuple[FileCopy, ...] = (),
    steps: tuple[str, ...] = (),
    remove: tuple[str, ...] = (),
) -> Image:
    return Image(
        id=ImageId("image"),
        kind=Kind.INFRA,
        family="image",
        parent=None,
        files=files,
        steps=steps,
        remove=remove,
    )


def copy(source: Path, path: str, mode: int = 0o640, owner: str = "root") -> FileCopy:
    return FileCopy(
        path=path,
        source=str(source),
        digest=Digest.of(b""),
        mode=mode,
        owner=owner,
        group="www-data",
    )


def test_an_image_is_finished_in_order() -> None:
    calls = finish_calls(
        image(files=(copy(Path("/a"), "/x"),), steps=("one", "two"), remove=("/y",)),
        RULES,
        VARIABLES,
    )
    assert [call.title for call in calls] == [
        *("file /x", "step", "step", "remove", "empty", "undate")
    ]
    assert [call.argv[-1] for call in calls[1:3]] == ["one", "two"]
    assert calls[3].argv[-2:] == ("/y", "/var/cache/*")
    assert calls[4].argv[-1] == "/var/log/*.log"
    assert calls[5].argv[-1] == "/etc/keys/*"
    assert all(call.environment == VARIABLES for call in calls)


def test_an_image_with_nothing_to_finish_has_no_calls() -> None:
    assert finish_calls(image(), (), VARIABLES) == ()


@pytest.mark.real
def test_files_are_put_where_they_belong(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("one")
    (tmp_path / "two words").write_text("two")
    files = (
        copy(tmp_path / "one", "/opt/new/folder/one", 0o4750, "man"),
        copy(tmp_path / "two words", "/opt/$(touch evil) two"),
    )
    box = bench.box(binds=file_binds(files))
    results = run(box, finish_calls(image(files=files), (), VARIABLES))
    assert all(result.good for result in results), results
    placed = box.upper / "opt/new/folder/one"
    assert placed.read_text() == "one"
    assert placed.stat().st_mode & 0o7777 == 0o4750
    assert (placed.stat().st_uid, placed.stat().st_gid) == (6, 33)
    assert placed.parent.stat().st_mode & 0o7777 == 0o755
    assert (box.upper / "opt/$(touch evil) two").read_text() == "two"
    assert sorted(path.name for path in box.upper.iterdir()) == ["opt"]


@pytest.mark.real
def test_paths_are_removed_and_emptied_by_pattern(bench: Workbench) -> None:
    prepared = Call(
        argv=("sh", "-euc", """
            mkdir -p '/t/with space' /t/deep/er /var/cache/x /t/log
            echo x > '/t/with space/file'; echo x > /t/deep/er/file; echo x > '/t/a b.txt'
            echo x > /t/b.txt; echo x > '/t/-rf'; echo x > /var/cache/x/y
            echo x > /t/log/a.log; echo x > '/t/log/b c.log'; echo x > /t/log/kept
            echo x > /t/target; ln -s ../target /t/log/link.log; mkdir /t/log/d.log
            chmod 640 /t/log/a.log
        """),
        environment=VARIABLES,
    )  # fmt: skip
    rules = (
        PathRule(glob="/t/log/*.log", action="empty", why=""),
        PathRule(glob="/var/cache/*", action="remove", why=""),
    )
    removed = ("/t/with space", "/t/*.txt", "/t/deep/*", "/t/nothing*", "/t/-rf")
    box = bench.box()
    results = run(box, [prepared, *finish_calls(image(remove=removed), rules, VARIABLES)])
    assert all(result.good for result in results), results
    found = sorted(str(path.relative_to(box.upper)) for path in (box.upper / "t").rglob("*"))
    assert found == [
        "t/deep", "t/log", "t/log/a.log", "t/log/b c.log", "t/log/d.log", "t/log/kept",
        "t/log/link.log", "t/target",
    ]  # fmt: skip
    sizes = {name: (box.upper / "t/log" / name).stat().st_size for name in ("a.log", "b c.log")}
    assert sizes == {"a.log": 0, "b c.log": 0}
    assert (box.upper / "t/log/a.log").stat().st_mode & 0o777 == 0o640
    assert (box.upper / "t/target").read_text() == "x\n"
    assert (box.upper / "t/log/kept").read_text() == "x\n"
    # What is left there are overlayfs's marks for what was below.
    assert all(path.is_char_device() for path in (box.upper / "var/cache").iterdir())


@pytest.mark.real
def test_a_step_that_fails_is_the_last(bench: Workbench) -> None:
    calls = finish_calls(image(steps=("false; touch /no", "touch /never")), (), VARIABLES)
    box = bench.box()
    results = run(box, calls)
    assert [result.good for result in results] == [False]
    assert not list(box.upper.iterdir())


@pytest.mark.real
def test_a_keystore_stays_only_without_its_times(bench: Workbench, tmp_path: Path) -> None:
    """The root has no Python: only an image with a keystore needs one, and then must have it."""
    rule = PathRule(glob="/etc/keys/*", action="undate", why="")
    results = run(bench.box(), finish_calls(image(), (rule,), VARIABLES))
    assert [result.good for result in results] == [True]

    (tmp_path / "store").write_bytes(store([("name", b"certificate")], [7]))
    files = (copy(tmp_path / "store", "/etc/keys/a store"),)
    box = bench.box(binds=file_binds(files))
    results = run(box, finish_calls(image(files=files), (rule,), VARIABLES))
    assert [result.good for result in results] == [True, False]
