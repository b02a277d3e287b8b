"""All of a tree is changed or nothing, and every byte can be had back."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.migrate.fleet import names
from tests.migrate.trees import INFRA, a_tree, bytes_of

from lamina.errors import LaminaError, StoreError, UsageError
from lamina.migrate.migration import Migration, make_migration, print_diff
from lamina.migrate.record import record_path
from lamina.migrate.tree import read_tree
from lamina.migrate.writing import revert, write_changes
from lamina.model.names import Scheme

Replace = Callable[[Path, Path], Path]


def plan(root: Path, scheme: Scheme = Scheme.SPLIT) -> Migration:
    return make_migration(read_tree(root), names(scheme))


def move(root: Path, scheme: Scheme = Scheme.SPLIT) -> Migration:
    migration = plan(root, scheme)
    write_changes(root, migration.changes, scheme)
    return migration


def test_every_infra_image_of_a_tree_is_moved_and_no_other(tmp_path: Path) -> None:
    migration = move(a_tree(tmp_path))
    roles = [change for change in migration.changes if "/defaults/" in change.path]
    edits = [edit for change in roles for edit in change.edits]
    assert len(edits) == INFRA
    assert {edit.kind for edit in edits} == {"infra"}
    assert migration.undecided == ()


def test_the_containers_that_a_deployment_recreates_are_told(tmp_path: Path) -> None:
    told = {one.container for one in plan(a_tree(tmp_path)).restarts}
    assert told == {
        *("cron", "fluentd", "dnsmasq", "mariadb", "monasca_grafana", "nova_libvirt"),
        *("redis", "redis_sentinel"),
    }


def test_revert_gives_every_byte_back_and_ends_the_record(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    before = bytes_of(root)
    move(root)
    assert bytes_of(root) != before
    reverted = revert(root)
    assert bytes_of(root) == before
    assert len(reverted.written) == 7
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    move(root)
    once, record = bytes_of(root), record_path(root).read_bytes()
    assert move(root).changes == ()
    assert bytes_of(root) == once
    assert record_path(root).read_bytes() == record


def test_several_moves_are_reverted_at_once(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    before = bytes_of(root)
    move(root, Scheme.INFRA)
    (root / "new.txt").write_text("centos-binary-cron")
    move(root)
    revert(root)
    assert bytes_of(root) == {**before, "new.txt": b"centos-binary-cron"}


def test_a_revert_that_was_killed_between_files_can_be_finished(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    before = bytes_of(root)
    move(root, Scheme.INFRA)
    between = (root / "doc/backup.rst").read_bytes()
    move(root)
    (root / "etc/globals.yml").write_bytes(before["etc/globals.yml"])
    (root / "doc/backup.rst").write_bytes(between)
    redis = "ansible/roles/redis/defaults/main.yml"
    (root / redis).write_bytes(before[redis])
    assert redis in revert(root).unchanged
    assert bytes_of(root) == before


def test_a_file_that_has_changed_since_keeps_all_from_being_reverted(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    move(root)
    with (root / "doc/backup.rst").open("a") as file:
        file.write("more\n")
    (root / "ansible/roles/redis/defaults/main.yml").unlink()
    after = bytes_of(root)
    with pytest.raises(UsageError) as error:
        revert(root)
    assert len(error.value.faults) == 2
    assert bytes_of(root) == after


def test_there_is_nothing_to_revert_without_a_record(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no record"):
        revert(a_tree(tmp_path))


@pytest.mark.parametrize("fails_at", range(8))
def test_a_replacement_that_fails_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    root = a_tree(tmp_path)
    before = bytes_of(root)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _failing(fails_at))
        with pytest.raises(StoreError):
            move(root)
    assert bytes_of(root) == before
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


@pytest.mark.parametrize("killed_at", range(1, 8))
def test_what_a_kill_leaves_behind_can_be_reverted_or_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    root = a_tree(tmp_path)
    before = bytes_of(root)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Path, "replace", _killing(killed_at))
        move(root)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 9
    if killed_at % 2:
        move(root)
        assert plan(root).changes == ()
    revert(root)
    assert bytes_of(root) == before
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


@pytest.mark.parametrize("interrupted_at", range(8))
def test_an_interrupt_right_behind_a_replacement_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted_at: int
) -> None:
    root = a_tree(tmp_path)
    before = bytes_of(root)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _interrupted(interrupted_at))
        with pytest.raises(KeyboardInterrupt):
            move(root)
    assert bytes_of(root) == before
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


def _interrupted(number: int) -> Replace:
    real, calls = Path.replace, iter(range(100))

    def replace(self: Path, target: Path) -> Path:
        replaced = real(self, target)
        if next(calls) == number:
            raise KeyboardInterrupt
        return replaced

    return replace


def _failing(number: int) -> Replace:
    """Return a `Path.replace` that fails once, at its call of that number."""
    real, calls = Path.replace, iter(range(100))

    def replace(self: Path, target: Path) -> Path:
        if next(calls) == number:
            raise PermissionError(13, "Permission denied", str(target))
        return real(self, target)

    return replace


def _killing(number: int) -> Replace:
    real, calls = Path.replace, iter(range(100))

    def replace(self: Path, target: Path) -> Path:
        if next(calls) == number:
            os.kill(os.getpid(), 9)
        return real(self, target)

    return replace


def test_rights_of_a_file_stay(tmp_path: Path) -> None:
    file = tmp_path / "run.sh"
    file.write_text("docker run centos-binary-cron\n")
    file.chmod(0o750)
    move(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o750
    assert file.read_text() == "docker run centos-cron\n"
    revert(file)
    assert file.read_text() == "docker run centos-binary-cron\n"


def test_a_file_whose_group_cannot_be_kept_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = a_tree(tmp_path)
    before = bytes_of(root)

    def chown(path: Path, _user: int, _group: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "chown", chown)
    with pytest.raises(StoreError, match=r"common/defaults/main\.yml: a new file cannot have"):
        move(root)
    assert bytes_of(root) == before
    assert [path.name for path in tmp_path.iterdir()] == [root.name]


def test_attributes_of_a_file_stay(tmp_path: Path) -> None:
    file = tmp_path / "globals.yml"
    file.write_text("a: centos-binary-cron\n")
    try:
        os.setxattr(file, "user.label", b"kept")
    except OSError:
        pytest.skip("this file system keeps no attributes")
    move(file)
    assert os.getxattr(file, "user.label") == b"kept"
    revert(file)
    assert os.getxattr(file, "user.label") == b"kept"


def test_a_container_of_a_task_is_called_as_its_role_calls_it(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    tasks = root / "ansible/roles/redis/tasks/upgrade.yml"
    tasks.parent.mkdir()
    tasks.write_text(
        "- kolla_docker:\n    image: '{{ redis_image_full }}'\n    name: '{{ project_name }}'\n"
    )
    assert [one.container for one in plan(root).restarts if one.path.endswith("upgrade.yml")] == [
        "redis"
    ]


def test_bytes_that_are_no_text_stay_in_a_file_that_changes(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_bytes(b"\xff\xfe caf\xe9\r\ncentos-binary-cron\r\rend\x0c")
    move(file)
    assert file.read_bytes() == b"\xff\xfe caf\xe9\r\ncentos-cron\r\rend\x0c"


def test_what_is_no_text_and_what_history_keeps_is_left_alone(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    (root / "program").write_bytes(b"\0centos-binary-cron")
    (root / ".git").mkdir()
    (root / ".git/packed").write_text("centos-binary-cron")
    os.mkfifo(root / "pipe")
    paths = {file.path for file in read_tree(root).files}
    assert not paths & {"program", ".git/packed", "pipe"}


def test_a_link_out_of_the_tree_is_not_followed_but_told(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    outside = tmp_path / "outside.yml"
    outside.write_text("a: centos-binary-cron\n")
    (root / "link.yml").symlink_to(outside)
    (root / "within.yml").symlink_to("etc/globals.yml")
    (root / "dangling").symlink_to("nowhere")
    migration = move(root)
    assert outside.read_text() == "a: centos-binary-cron\n"
    assert (root / "link.yml").is_symlink()
    assert [fault.place for fault in migration.undecided] == ["link.yml"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_a_text_in_another_encoding_is_told_if_it_may_name_images(
    tmp_path: Path, encoding: str
) -> None:
    content = "\ufeffcentos-binary-cron\n".encode(encoding)
    (tmp_path / "notes.txt").write_bytes(content)
    (tmp_path / "other.txt").write_text("centos\n", encoding=encoding)
    migration = move(tmp_path)
    assert [fault.place for fault in migration.undecided] == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_bytes() == content


def test_links_in_a_circle_lead_nowhere(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    assert plan(root).undecided == ()
    with pytest.raises(UsageError):
        read_tree(root / "one")


def test_a_file_that_is_too_large_is_told_if_it_may_name_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamina.migrate.tree.LARGEST", 1000)
    root = tmp_path / "tree"
    root.mkdir()
    (root / "large").write_text("centos-binary-cron" + " " * 1000)
    (root / "other").write_text("x" * 2000)
    migration = move(root)
    assert [fault.place for fault in migration.undecided] == ["large"]
    assert migration.changes == ()


def test_a_folder_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = a_tree(tmp_path)
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "doc":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr("os.scandir", scandir)
    (fault,) = move(root).undecided
    assert str(fault).startswith("doc: cannot be read: Permission denied")


def test_a_tree_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_tree(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"format": 2, "scheme": "split", "steps": []}']
)
def test_a_record_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    root = a_tree(tmp_path)
    record_path(root).write_bytes(content)
    with pytest.raises(UsageError):
        revert(root)


def test_a_record_that_leads_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    root = a_tree(tmp_path)
    move(root)
    (tmp_path / "other").write_text("mine")
    record = json.loads(record_path(root).read_bytes())
    record["steps"][0][0]["path"] = "../other"
    record_path(root).write_text(json.dumps(record))
    with pytest.raises(LaminaError, match="leads out"):
        revert(root)


def test_the_diff_shows_each_file_once(tmp_path: Path) -> None:
    diff = print_diff(plan(a_tree(tmp_path)).changes)
    assert diff.count("--- a/") == 7
    assert "-  docker run kolla/centos-binary-mariadb:train backup\n" in diff
    assert "+  docker run kolla/centos-mariadb-server:train backup\n" in diff


_BYTES = st.lists(
    st.sampled_from([b"centos-binary-cron", b"debian-source-mariadb", b"\n", b"\r", b" ", b"\xe9"])
    | st.binary(max_size=6),
    max_size=20,
).map(b"".join)


@settings(deadline=None)  # files are written safely, however long the disk takes
@given(st.dictionaries(st.sampled_from(["a.yml", "b.j2", "c", "d.sh"]), _BYTES, min_size=1))
def test_any_bytes_are_given_back(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        root.mkdir()
        for name, content in files.items():
            (root / name).write_bytes(content)
        move(root)
        once = bytes_of(root)
        move(root)
        assert bytes_of(root) == once
        if record_path(root).exists():
            revert(root)
        assert bytes_of(root) == files
