"""kolla_set_configs as a container calls it: as root, on real files."""

from __future__ import annotations

import json

import pytest
from tests.contract.conftest import KOLLA, NOVA, Container

pytestmark = pytest.mark.real

SOURCE = "/var/lib/kolla/config_files"
LOG = "/var/log/kolla/nova"
LOGS = {"path": "/var/log/kolla", "owner": "root:kolla", "perm": "2775"}
NOVAS = {"path": LOG, "owner": "nova:kolla", "perm": "2744"}
A_LOG = {"path": f"{LOG}/new.log", "owner": "nova:kolla", "perm": "0664"}
CONF = {"source": f"{SOURCE}/nova.conf", "dest": "/etc/nova/", "owner": "nova", "perm": "0600"}


def test_a_file_is_copied_and_the_command_noted(container: Container) -> None:
    container.put(f"{SOURCE}/nova.conf", "mine")
    container.configure([CONF])
    assert container.path("/etc/nova/nova.conf").read_text() == "mine"
    assert container.state("/etc/nova/nova.conf") == (NOVA, NOVA, 0o600)
    assert container.state("/etc/nova") == (0, 0, 0o755)
    assert container.path("/run_command").read_text() == "sleep 1\n"
    assert container.state("/run_command") == (0, 0, 0o644)


def test_a_glob_is_copied_into_a_directory(container: Container) -> None:
    for name in ("a.conf", "b.conf", "c.txt", ".hidden.conf"):
        container.put(f"{SOURCE}/{name}", name)
    container.configure([{**CONF, "source": f"{SOURCE}/*.conf", "owner": "nova:kolla"}])
    assert sorted(path.name for path in container.path("/etc/nova").iterdir()) == [
        "a.conf",
        "b.conf",
    ]
    assert container.state("/etc/nova/a.conf") == (NOVA, KOLLA, 0o600)


def test_a_directory_replaces_another_and_what_was_in_it(container: Container) -> None:
    container.put(f"{SOURCE}/d/sub/new", "new")
    container.put("/etc/d/old", "old")
    container.put("/etc/d/olds/deep/er", "old")
    container.configure([{**CONF, "source": f"{SOURCE}/d", "dest": "/etc/d"}])
    assert container.path("/etc/d/sub/new").read_text() == "new"
    assert container.state("/etc/d/sub") == (NOVA, NOVA, 0o700)
    assert [path.name for path in container.path("/etc/d").iterdir()] == ["sub"]


def test_a_merged_directory_keeps_what_was_in_it(container: Container) -> None:
    container.put(f"{SOURCE}/d/new", "new")
    container.put("/etc/d/old", "old")
    entry = {**CONF, "source": f"{SOURCE}/d", "dest": "/etc/d", "merge": True}
    container.configure([entry])
    assert sorted(path.name for path in container.path("/etc/d").iterdir()) == ["new", "old"]


def test_properties_are_preserved_on_request(container: Container) -> None:
    container.put(f"{SOURCE}/d/new", "new", mode=0o4711, owner=(12, 34))
    entry = {"source": f"{SOURCE}/d", "dest": "/etc/", "preserve_properties": True, "merge": True}
    container.configure([entry])
    assert container.state("/etc/d/new") == (12, 34, 0o4711)


def test_a_whole_tree_is_merged_into_the_root(container: Container) -> None:
    container.put(f"{SOURCE}/src/etc/nova.conf", "mine", owner=(0, NOVA), mode=0o640)
    container.put(f"{SOURCE}/src/var/run/state", "mine")
    container.link("/var/run", "../run")
    container.put("/run/other")
    entry = {"source": f"{SOURCE}/src/*", "dest": "/", "merge": True, "preserve_properties": True}
    container.configure([entry])
    assert container.state("/etc/nova.conf") == (0, NOVA, 0o640)
    assert sorted(path.name for path in container.path("/run").iterdir()) == ["other", "state"]
    assert container.path("/etc/passwd").exists()


def test_a_source_may_be_optional(container: Container) -> None:
    container.configure([{**CONF, "optional": True}])
    assert not container.path("/etc/nova").exists()


def test_every_run_copies_with_copy_always(container: Container) -> None:
    container.put(f"{SOURCE}/nova.conf", "one")
    container.configure([CONF])
    container.put(f"{SOURCE}/nova.conf", "two")
    container.configure([CONF])
    assert container.path("/etc/nova/nova.conf").read_text() == "two"


def test_the_first_run_alone_copies_with_copy_once(container: Container) -> None:
    container.put(f"{SOURCE}/nova.conf", "one")
    container.configure([CONF], strategy="COPY_ONCE")
    assert container.path("/configured").is_file()
    container.put(f"{SOURCE}/nova.conf", "two")
    before = container.snapshot()
    container.set_configs(strategy="COPY_ONCE")
    assert container.snapshot() == before
    assert container.path("/etc/nova/nova.conf").read_text() == "one"


def test_a_run_that_failed_is_no_first_run(container: Container) -> None:
    container.configure([CONF], strategy="COPY_ONCE", code=1)
    assert not container.path("/configured").exists()


@pytest.mark.parametrize("strategy", ["", "copy_always", "COPY"])
def test_a_strategy_is_required(container: Container, strategy: str) -> None:
    before = container.snapshot()
    told = container.configure(strategy=strategy, code=1)
    assert told.startswith("kolla_set_configs: KOLLA_CONFIG_STRATEGY: is '")
    assert told.endswith("and must be one of: COPY_ALWAYS, COPY_ONCE\n")
    assert container.snapshot().keys() - before.keys() == {f"{SOURCE}/config.json".lstrip("/")}


def test_the_configuration_is_never_taken_from_the_environment(container: Container) -> None:
    environment = {
        "KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS",
        "KOLLA_CONFIG": json.dumps({"command": "evil"}),
        "KOLLA_CONFIG_FILE": "/tmp/config.json",
    }
    container.put("/tmp/config.json", json.dumps({"command": "evil"}))
    done = container.run("kolla_set_configs", environment=environment, code=1)
    assert "config.json: No such file or directory" in done.stderr
    assert not container.path("/run_command").exists()


def test_one_fault_keeps_everything_from_being_written(container: Container) -> None:
    container.put(f"{SOURCE}/nova.conf", "mine")
    container.folder("/etc/taken")
    files = [
        CONF,
        {**CONF, "source": f"{SOURCE}/gone"},
        {**CONF, "owner": "nobody-here", "dest": "/etc/other"},
    ]
    container.put(f"{SOURCE}/config.json")
    before = container.snapshot()
    told = container.configure(files, code=1)
    assert told.splitlines() == [
        "kolla_set_configs: config_files[2].owner: there is no 'nobody-here' in this image",
        f"kolla_set_configs: config_files[1].source: there is no '{SOURCE}/gone'",
    ]
    told = container.configure([CONF, {**CONF, "dest": "/etc/taken"}], code=1)
    assert "config_files[1].dest: '/etc/taken' is a directory: end it with '/'" in told
    after = container.snapshot()
    assert {path for path in after if after[path] != before.get(path)} == {
        f"{SOURCE}/config.json".lstrip("/")
    }


def test_what_must_be_there_is_made_and_given_to_its_owner(container: Container) -> None:
    container.put("/var/log/kolla/nova/api.log", "yesterday", mode=0o600)
    container.configure(
        permissions=[{"path": "/var/log/kolla/nova/*.log", "owner": "nova:kolla", "perm": "0660"}],
        needed={
            "directories": [LOGS, NOVAS],
            "files": [A_LOG, {**A_LOG, "path": f"{LOG}/api.log"}],
        },
    )
    assert container.state("/var/log/kolla") == (0, KOLLA, 0o2775)
    assert container.state(LOG) == (NOVA, KOLLA, 0o2755)
    assert container.path(f"{LOG}/new.log").read_text() == ""
    assert container.path(f"{LOG}/api.log").read_text() == "yesterday"
    # `permissions` have the last word.
    for name in ("new", "api"):
        assert container.state(f"{LOG}/{name}.log") == (NOVA, KOLLA, 0o660)


def test_what_is_there_already_stays_as_a_service_left_it(container: Container) -> None:
    needed = {"directories": [NOVAS], "files": [A_LOG]}
    container.configure(needed=needed)
    container.put(f"{LOG}/new.log", "today", mode=0o600)
    container.put(f"{LOG}/own/more")
    container.configure(needed=needed)
    assert container.path(f"{LOG}/new.log").read_text() == "today"
    assert container.state(f"{LOG}/new.log") == (NOVA, KOLLA, 0o664)
    assert container.path(f"{LOG}/own/more").exists()
    # Nor is it taken away when nobody needs it any more.
    container.configure()
    assert container.path(f"{LOG}/new.log").read_text() == "today"


def test_what_must_be_there_stays_in_a_directory_that_is_replaced(container: Container) -> None:
    container.put(f"{SOURCE}/d/new", "new")
    container.put("/etc/d/old", "old")
    container.put("/etc/d/state/more", "more")
    folder = {**CONF, "source": f"{SOURCE}/d", "dest": "/etc/d"}
    state = {"path": "/etc/d/state", "owner": "nova", "perm": "0700"}
    container.configure([folder], needed={"directories": [state]})
    assert sorted(path.name for path in container.path("/etc/d").iterdir()) == ["new", "state"]
    assert container.state("/etc/d/state") == (NOVA, NOVA, 0o700)
    assert container.path("/etc/d/state/more").read_text() == "more"
    assert container.set_configs("--check", strategy="") == ""


def test_a_file_that_was_copied_once_can_be_one_that_must_be_there(container: Container) -> None:
    container.put(f"{SOURCE}/nova.conf", "mine")
    container.configure([CONF])
    empty = {"path": "/etc/nova/nova.conf", "owner": "nova", "perm": "0600"}
    for _ in range(2):
        container.configure(needed={"files": [empty]})
        assert container.path("/etc/nova/nova.conf").read_text() == ""


def test_the_first_run_alone_makes_what_must_be_there_with_copy_once(container: Container) -> None:
    container.configure(strategy="COPY_ONCE")
    container.configure(strategy="COPY_ONCE", needed={"directories": [NOVAS]})
    assert not container.path(LOG).exists()


def test_a_check_says_nothing_of_what_a_service_does_with_its_logs(container: Container) -> None:
    container.configure(needed={"directories": [NOVAS], "files": [A_LOG]})
    container.path(LOG).chmod(0o755)
    container.path(f"{LOG}/new.log").unlink()
    assert container.set_configs("--check", strategy="") == ""


def test_an_original_is_kept_and_comes_back_with_its_entry_gone(container: Container) -> None:
    kept = "/var/lib/kolla/originals"
    container.put(f"{SOURCE}/nova.conf", "mine")
    container.put(f"{SOURCE}/d/new", "new")
    container.put("/etc/nova/nova.conf", "the image's", mode=0o640, owner=(0, NOVA))
    container.put("/etc/d/old", "old")
    folder = {**CONF, "source": f"{SOURCE}/d", "dest": "/etc/d"}
    for _ in range(2):
        container.configure([CONF, folder])
        assert container.path(f"{kept}/files/etc/nova/nova.conf").read_text() == "the image's"
        assert container.path(f"{kept}/files/etc/d/old").read_text() == "old"
    assert container.state(kept) == (0, 0, 0o700)

    container.configure([])
    assert container.path("/etc/nova/nova.conf").read_text() == "the image's"
    assert container.state("/etc/nova/nova.conf") == (0, NOVA, 0o640)
    assert [path.name for path in container.path("/etc/d").iterdir()] == ["old"]
    assert not container.path(f"{kept}/files/etc/nova/nova.conf").exists()


def test_a_directory_that_the_service_has_made_stays(container: Container) -> None:
    container.put(f"{SOURCE}/nova.conf", "mine")
    container.put("/etc/other/nova.conf", "the image's")
    container.configure([CONF, {**CONF, "dest": "/etc/other/"}])
    for folder in ("nova", "other"):
        container.path(f"/etc/{folder}/nova.conf").unlink()
        container.put(f"/etc/{folder}/nova.conf/data")
    container.configure([])
    assert container.path("/etc/nova/nova.conf/data").exists()
    assert container.path("/etc/other/nova.conf/data").exists()


def test_a_damaged_index_of_originals_is_told(container: Container) -> None:
    container.put("/var/lib/kolla/originals/index.json")
    told = container.configure([], code=1)
    assert told == (
        "kolla_set_configs: /var/lib/kolla/originals/index.json: is damaged: remove it\n"
    )


@pytest.mark.parametrize("what", ["file", "permission", "directory", "empty file"])
def test_a_write_that_fails_tells_its_path(container: Container, what: str) -> None:
    container.put(f"{SOURCE}/nova.conf", "mine")
    container.put("/etc/nova/fixed")
    script = "mount --bind /etc/nova /etc/nova; mount -o remount,bind,ro /etc/nova; "
    if what == "file":
        container.configure([{**CONF, "source": f"{SOURCE}/*.conf"}])
        path = "/etc/nova/nova.conf"
    elif what == "directory":
        path = "/etc/nova/d"
        container.configure(
            needed={"directories": [{"path": path, "owner": "nova", "perm": "0755"}]}
        )
        container.path(path).rmdir()
    elif what == "empty file":
        path = "/etc/nova/fixed"
        container.configure(needed={"files": [{"path": path, "owner": "nova", "perm": "0644"}]})
    else:
        container.configure(permissions=[{"path": "/etc/nova/*", "owner": "nova"}])
        path = "/etc/nova/fixed"
    environment = {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"}
    done = container.run(
        "sh", "-euc", script + "kolla_set_configs", environment=environment, code=1
    )
    assert done.stderr == f"kolla_set_configs: {path}: Read-only file system\n"


def test_the_arguments_are_few(container: Container) -> None:
    told = container.set_configs("--force", code=2)
    assert told == "kolla_set_configs: usage: kolla_set_configs [--check]\n"


def test_a_check_tells_what_differs(container: Container) -> None:
    container.put(f"{SOURCE}/nova.conf", "mine")
    container.put(f"{SOURCE}/d/new", "new")
    files = [CONF, {**CONF, "source": f"{SOURCE}/d", "dest": "/etc/d"}]
    container.configure(files)
    before = container.snapshot()
    assert container.set_configs("--check", strategy="", code=0) == ""
    assert container.snapshot() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("echo more >> /etc/nova/nova.conf", "/etc/nova/nova.conf: has not the content of"),
        ("echo more > $SOURCE/nova.conf", "/etc/nova/nova.conf: has not the content of"),
        ("chmod 0640 /etc/nova/nova.conf", "/etc/nova/nova.conf: has the mode 0640, not 0600"),
        ("chown 0 /etc/nova/nova.conf", f"/etc/nova/nova.conf: is owned by 0:{NOVA}, not"),
        ("chgrp 0 /etc/d", f"/etc/d: is owned by {NOVA}:0, not {NOVA}:{NOVA}"),
        ("rm /etc/nova/nova.conf", "/etc/nova/nova.conf: is missing"),
        ("rm -r /etc/d", "/etc/d: is missing"),
        ("touch /etc/d/more", "/etc/d/more: is not in the source of its directory"),
        ("rm /etc/d/new; mkdir /etc/d/new", "/etc/d/new: is something else"),
        ("mv /etc/d/new /x; ln -s /x /etc/d/new", "/etc/d/new: is something else"),
    ],
)
def test_a_difference_ends_a_check_with_1(container: Container, change: str, told: str) -> None:
    container.put(f"{SOURCE}/nova.conf", "mine")
    container.put(f"{SOURCE}/d/new", "new")
    container.configure([CONF, {**CONF, "source": f"{SOURCE}/d", "dest": "/etc/d"}])
    container.run("sh", "-euc", change, environment={"SOURCE": SOURCE})
    assert told in container.set_configs("--check", strategy="", code=1)


def test_a_check_that_cannot_be_made_ends_with_2(container: Container) -> None:
    assert "config.json" in container.set_configs("--check", code=2)
    container.put(f"{SOURCE}/config.json", "{}")
    assert "command: is missing" in container.set_configs("--check", code=2)
