"""Files that a service's user may have planted for root to trip over."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest
from tests.contract.conftest import NOVA, Container

pytestmark = pytest.mark.real

SOURCE = "/var/lib/kolla/config_files"
HOME = "/var/lib/nova"
ENTRY = {"source": f"{SOURCE}/key", "dest": f"{HOME}/.ssh/key", "owner": "nova", "perm": "0600"}
PLANTED = (NOVA, NOVA)
ROOTS = (0, 0, 0o600)


@pytest.fixture
def secret(container: Container) -> str:
    """A file that no one but root may read, change or own."""
    container.put("/etc/secret", "secret", mode=0o600)
    container.put(f"{SOURCE}/key", "key")
    return "/etc/secret"


def test_a_planted_directory_link_is_not_written_through(container: Container) -> None:
    container.put(f"{SOURCE}/key", "key")
    container.link(f"{HOME}/.ssh", "/etc", owner=PLANTED)
    told = container.configure([ENTRY], code=1)
    assert f"'{HOME}/.ssh/key': leads through a link that another than root may have made" in told
    assert not container.path("/etc/key").exists()


def test_roots_link_in_a_users_directory_is_not_followed_either(container: Container) -> None:
    container.put(f"{SOURCE}/key", "key")
    container.link(f"{HOME}/.ssh", "/etc")
    assert "leads through a link" in container.configure([ENTRY], code=1)
    assert not container.path("/etc/key").exists()


def test_a_link_of_the_image_is_followed(container: Container) -> None:
    container.put(f"{SOURCE}/key", "key")
    container.folder("/srv/ssh")
    container.link("/var/ssh", "../srv/ssh")
    container.configure([{**ENTRY, "dest": "/var/ssh/key"}])
    assert container.path("/srv/ssh/key").read_text() == "key"


def test_a_planted_link_at_the_dest_is_replaced(container: Container, secret: str) -> None:
    container.folder(f"{HOME}/.ssh", owner=PLANTED)
    container.link(f"{HOME}/.ssh/key", secret, owner=PLANTED)
    container.configure([ENTRY])
    assert not container.path(f"{HOME}/.ssh/key").is_symlink()
    assert container.path(f"{HOME}/.ssh/key").read_text() == "key"
    assert container.path(secret).read_text() == "secret"
    assert container.state(secret) == ROOTS


def test_a_planted_hard_link_at_the_dest_is_replaced(container: Container, secret: str) -> None:
    container.folder(f"{HOME}/.ssh", owner=PLANTED)
    os.link(container.path(secret), container.path(f"{HOME}/.ssh/key"))
    container.configure([ENTRY])
    assert container.path(secret).read_text() == "secret"
    assert container.state(secret) == ROOTS


def test_a_planted_link_for_a_directory_is_not_taken_for_one(
    container: Container, secret: str
) -> None:
    container.put(f"{SOURCE}/d/secret", "mine")
    container.link(f"{HOME}/d", "/etc", owner=PLANTED)
    for merge in (False, True):
        entry = {**ENTRY, "source": f"{SOURCE}/d", "dest": f"{HOME}/d", "merge": merge}
        assert "leads through a link" in container.configure([entry], code=1)
    assert container.path(secret).read_text() == "secret"
    assert container.state("/etc")[:2] == (0, 0)


def test_links_in_a_directory_that_is_replaced_are_removed_alone(
    container: Container, secret: str
) -> None:
    container.put(f"{SOURCE}/d/new", "new")
    container.folder(f"{HOME}/d/sub", owner=PLANTED)
    container.link(f"{HOME}/d/link", "/etc", owner=PLANTED)
    container.link(f"{HOME}/d/sub/link", secret, owner=PLANTED)
    container.configure([{**ENTRY, "source": f"{SOURCE}/d", "dest": f"{HOME}/d"}])
    assert [path.name for path in container.path(f"{HOME}/d").iterdir()] == ["new"]
    assert container.path(secret).read_text() == "secret"


@pytest.mark.parametrize("path", [f"{HOME}/out", f"{HOME}/out/secret"])
def test_a_planted_link_is_no_source(container: Container, secret: str, path: str) -> None:
    container.link(f"{HOME}/out", secret if path == f"{HOME}/out" else "/etc", owner=PLANTED)
    told = container.configure([{**ENTRY, "source": path}], code=1)
    assert "config_files[0].source" in told
    assert "leads through a link that another than root may have made" in told
    assert not container.path(f"{HOME}/.ssh").exists()


def test_a_planted_link_in_a_source_directory_is_refused(container: Container, secret: str) -> None:
    container.put(f"{HOME}/d/a", "a", owner=PLANTED)
    os.chown(container.path(f"{HOME}/d"), *PLANTED)
    container.link(f"{HOME}/d/b", secret, owner=PLANTED)
    entry = {**ENTRY, "source": f"{HOME}/d", "dest": "/etc/d"}
    assert "leads through a link" in container.configure([entry], code=1)
    assert not container.path("/etc/d").exists()


def test_a_mount_may_be_made_of_roots_links(container: Container) -> None:
    container.put(f"{SOURCE}/..2026/key", "key")
    container.link(f"{SOURCE}/..data", "..2026")
    container.link(f"{SOURCE}/key", "..data/key")
    container.configure([ENTRY])
    assert container.path(f"{HOME}/.ssh/key").read_text() == "key"


@pytest.mark.parametrize(
    ("links", "told"),
    [
        ({f"{SOURCE}/key": "key"}, "leads through links without end"),
        ({f"{SOURCE}/key": "other", f"{SOURCE}/other": "key"}, "leads through links without end"),
        ({f"{SOURCE}/key/a/up": "../../key"}, "a link in it leads back to it"),
        ({f"{SOURCE}/key": "gone"}, "No such file or directory"),
    ],
    ids=["itself", "each other", "a directory above", "nowhere"],
)
def test_links_without_end_are_refused(
    container: Container, links: dict[str, str], told: str
) -> None:
    for path, target in links.items():
        container.link(path, target)
    assert told in container.configure([ENTRY], code=1)
    assert not container.path(f"{HOME}/.ssh").exists()


def test_what_is_no_file_is_no_source(container: Container) -> None:
    os.mkfifo(container.path(f"{SOURCE}/key"))
    assert "is neither a file nor a directory" in container.configure([ENTRY], code=1)
    with socket.socket(socket.AF_UNIX) as server:
        folder = os.open(container.folder(f"{SOURCE}/d"), os.O_PATH)
        server.bind(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
    told = container.configure([{**ENTRY, "source": f"{SOURCE}/d"}], code=1)
    assert "'socket': is neither a file nor a directory" in told


def test_config_json_is_a_file_of_some_size(container: Container) -> None:
    os.mkfifo(container.path(f"{SOURCE}/config.json"))
    assert "is not a regular file" in container.set_configs(code=1)
    container.path(f"{SOURCE}/config.json").unlink()
    with container.put(f"{SOURCE}/config.json").open("wb") as file:
        file.truncate(1 << 40)
    assert "config.json: has more than 1048576 bytes" in container.set_configs(code=1)


def test_a_name_with_a_newline_is_copied_and_told_on_one_line(container: Container) -> None:
    container.put(f"{SOURCE}/d/a\nb", "x")
    entry = {**ENTRY, "source": f"{SOURCE}/d", "dest": "/etc/d"}
    container.configure([entry])
    assert container.path("/etc/d/a\nb").read_text() == "x"
    container.path("/etc/d/a\nb").write_text("y")
    (line,) = container.set_configs("--check", code=1).splitlines()
    assert line.startswith(r"kolla_set_configs: /etc/d/a\nb: has not the content of")


def test_a_name_that_is_no_text_is_copied(container: Container) -> None:
    (container.folder(f"{SOURCE}/d") / os.fsdecode(b"\xff")).write_text("x")
    container.configure([{**ENTRY, "source": f"{SOURCE}/d", "dest": "/etc/d"}])
    (copied,) = container.path("/etc/d").iterdir()
    assert os.fsencode(copied.name) == b"\xff"


def test_nothing_is_left_aside_when_a_disk_is_full(container: Container) -> None:
    container.put(f"{SOURCE}/key", "x" * (1 << 20))
    container.put("/small/key", "old")
    script = (
        "mount -t tmpfs -o size=64k none /small; echo old > /small/key; kolla_set_configs; "
        'echo "$? $(ls -A /small) $(cat /small/key)"'
    )
    container.configure([], code=0)
    text = container.path(f"{SOURCE}/config.json").read_text()
    entry = f'[{{"source": "{SOURCE}/key", "dest": "/small/key", "owner": "nova", "perm": "0600"}}]'
    container.put(
        f"{SOURCE}/config.json", text.replace('"config_files": []', f'"config_files": {entry}')
    )
    done = container.run("sh", "-c", script, environment={"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"})
    assert done.stdout == "1 key old\n"
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


LOGS = f"{HOME}/logs"
A_LOG = {"path": f"{LOGS}/a.log", "owner": "nova", "perm": "0664"}


def needed(path: str, kind: str) -> dict[str, list[dict[str, str]]]:
    return {kind: [{**A_LOG, "path": path}]}


@pytest.mark.parametrize("kind", ["directories", "files"])
@pytest.mark.parametrize("path", [LOGS, f"{LOGS}/new"])
def test_what_must_be_there_is_not_made_through_a_planted_link(
    container: Container, secret: str, path: str, kind: str
) -> None:
    container.link(LOGS, "/etc", owner=PLANTED)
    container.put(f"{SOURCE}/config.json")
    before = container.snapshot()
    told = container.configure([ENTRY], needed=needed(path, kind), code=1)
    link = kind == "files" and path == LOGS
    why = "something else is there, and no file" if link else "leads through a link"
    assert f"{kind}[0].path: '{path}': {why}" in told
    assert container.state(secret) == ROOTS
    after = container.snapshot()
    assert {name for name in after if after[name] != before.get(name)} == {
        f"{SOURCE}/config.json".lstrip("/")
    }


def test_a_directory_is_made_through_a_link_of_the_image(container: Container) -> None:
    container.link("/var/run", "../run")
    container.configure(needed=needed("/var/run/nova", "directories"))
    assert container.state("/run/nova") == (NOVA, NOVA, 0o775)


def test_a_planted_link_is_no_file_that_must_be_there(container: Container, secret: str) -> None:
    container.folder(LOGS, owner=PLANTED)
    container.link(f"{LOGS}/a.log", secret, owner=PLANTED)
    told = container.configure(needed={"files": [A_LOG]}, code=1)
    assert f"files[0].path: '{LOGS}/a.log': something else is there, and no file" in told
    assert container.state(secret) == ROOTS


def test_a_planted_hard_link_is_not_given_away(container: Container, secret: str) -> None:
    container.folder(LOGS, owner=PLANTED)
    os.link(container.path(secret), container.path(f"{LOGS}/a.log"))
    told = container.configure(needed={"files": [A_LOG]}, code=1)
    assert "it has another name, and may be another's file" in told
    assert container.state(secret) == ROOTS


def test_what_is_in_the_way_of_a_directory_or_a_file_is_told_before_anything_is_made(
    container: Container,
) -> None:
    container.put(f"{SOURCE}/config.json")
    container.put("/srv/file")
    container.folder("/srv/folder")
    os.mkfifo(container.path("/srv/pipe"))
    asked = {
        "directories": [
            {**A_LOG, "path": path} for path in ("/srv/new", "/srv/file", "/srv/file/d")
        ],
        "files": [
            {**A_LOG, "path": path}
            for path in ("/srv/folder", "/srv/pipe", "/srv/gone/f", "/srv/new/f", "/srv/file/f")
        ],
    }
    before = container.snapshot()
    told = container.configure(needed=asked, code=1)
    assert told.splitlines() == [
        f"kolla_set_configs: {line}"
        for line in (
            "directories[1].path: '/srv/file': something else is there, and no directory",
            "directories[2].path: '/srv/file/d': Not a directory",
            "files[0].path: '/srv/folder': something else is there, and no file",
            "files[1].path: '/srv/pipe': something else is there, and no file",
            "files[2].path: '/srv/gone/f': its directory is not there, and not in 'directories'",
            "files[4].path: '/srv/file/f': Not a directory",
        )
    ]
    assert container.snapshot().keys() == before.keys()


def test_permissions_are_given_to_what_is_there(container: Container) -> None:
    container.put("/var/log/nova/a.log")
    container.put("/var/log/nova/old/b.log")
    container.put("/var/log/nova/keep/c.log")
    container.configure(
        permissions=[
            {"path": "/var/log/nova", "owner": "nova:kolla", "recurse": True, "exclude": ["/keep"]},
            {"path": "/var/log/nova/*.log", "perm": "0640"},
            {"path": "/nowhere/*", "owner": "nova", "perm": "0600"},
        ]
    )
    given = container.state("/var/log/nova/old")
    assert given == (NOVA, 42400, 0o755)
    assert container.state("/var/log/nova/old/b.log") == (NOVA, 42400, 0o644)
    assert container.state("/var/log/nova/a.log") == (NOVA, 42400, 0o640)
    assert container.state("/var/log/nova/keep") == (0, 0, 0o755)
    assert container.state("/var/log/nova/keep/c.log") == (0, 0, 0o644)


def test_permissions_without_recurse_stay_at_the_top(container: Container) -> None:
    container.put("/srv/d/file")
    container.configure(permissions=[{"path": "/srv/d", "owner": "nova", "perm": "0640"}])
    assert container.state("/srv/d") == (NOVA, NOVA, 0o750)
    assert container.state("/srv/d/file") == (0, 0, 0o644)


@pytest.mark.parametrize("recurse", [True, False])
def test_permissions_are_not_given_through_planted_links(
    container: Container, secret: str, recurse: bool
) -> None:
    container.link(f"{HOME}/link", secret, owner=PLANTED)
    container.link(f"{HOME}/folder", "/etc", owner=PLANTED)
    paths = [HOME, f"{HOME}/link", f"{HOME}/*", f"{HOME}/folder/secret"]
    container.configure(
        permissions=[
            {"path": path, "owner": "nova", "perm": "0666", "recurse": recurse} for path in paths
        ]
    )
    assert container.state(secret) == ROOTS
    assert container.state("/etc") == (0, 0, 0o755)


def test_permissions_do_not_give_away_a_file_by_another_name(
    container: Container, secret: str
) -> None:
    os.link(container.path(secret), container.path(f"{HOME}/mine"))
    container.link("/etc/mine", f"{HOME}/mine")
    told = container.configure(
        permissions=[
            {"path": HOME, "owner": "nova", "recurse": True},
            {"path": f"{HOME}/*", "owner": "nova"},
            {"path": "/etc/mine", "owner": "nova"},
        ]
    )
    left = "is left as it is: it has another name, and may be another's file"
    assert told.splitlines() == [
        f"kolla_set_configs: {path}: {left}"
        for path in (f"{HOME}/mine", f"{HOME}/mine", "/etc/mine")
    ]
    assert container.state(secret) == ROOTS


@pytest.fixture
def deep(container: Container) -> Iterator[str]:
    """A directory of the user's with more below each other than a path can name."""
    top = container.folder(f"{HOME}/deep", owner=PLANTED)
    folder = os.open(top, os.O_PATH)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_PATH, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    yield f"{HOME}/deep"
    # pytest's own cleaning does not come to the end of it.
    subprocess.run(["rm", "-rf", str(top)], check=True)


def test_directories_without_end_do_not_stop_a_start(container: Container, deep: str) -> None:
    told = container.configure(permissions=[{"path": deep, "owner": "nova", "recurse": True}])
    assert "more than 200 directories below each other" in told


def test_directories_without_end_are_neither_copied_nor_replaced(
    container: Container, deep: str
) -> None:
    container.put(f"{SOURCE}/d/file")
    for source, dest in ((deep, "/etc/d"), (f"{SOURCE}/d", deep)):
        container.configure([{**ENTRY, "source": source, "dest": dest}], code=1)
    assert not container.path("/etc/d").exists()
