"""config.json as deployments write it, and as nobody should."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolla_contract.config import SIZE_LIMIT, Config, ConfigFile, Needed, Owner, Permission, parse
from kolla_contract.faults import ContractError

FILE = {"source": "/a", "dest": "/b", "owner": "nova", "perm": "0600"}
READ = ConfigFile(place="config_files[0]", source="/a", dest="/b", owner=Owner("nova"), mode=0o600)


def faults(content: bytes) -> list[str]:
    """Return what is wrong with a configuration, a line for each fault."""
    with pytest.raises(ContractError) as caught:
        parse(content)
    return [str(fault) for fault in caught.value.faults]


def spelled(**keys: Any) -> bytes:
    return json.dumps({"command": "x", **keys}).encode()


def a_file(**keys: Any) -> bytes:
    """Spell a configuration with one file; a key that is None is left out."""
    entry = {key: value for key, value in {**FILE, **keys}.items() if value is not None}
    return spelled(config_files=[entry])


def a_directory(**keys: Any) -> bytes:
    entry = {"path": "/d", "owner": "nova", "perm": "0755", **keys}
    return spelled(directories=[{key: value for key, value in entry.items() if value is not None}])


def an_empty_file(**keys: Any) -> bytes:
    return spelled(files=[{"path": "/f", "owner": "nova", "perm": "0644", **keys}])


def a_permission(**keys: Any) -> bytes:
    return spelled(permissions=[{"path": "/p", "owner": "nova", **keys}])


def test_a_file_has_source_dest_owner_and_mode() -> None:
    assert parse(a_file()) == Config(command="x", files=(READ,))


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        ({"owner": "nova:kolla"}, {"owner": Owner("nova", "kolla")}),
        ({"perm": "644"}, {"mode": 0o644}),
        ({"perm": "2775"}, {"mode": 0o2775}),
        ({"dest": "/b/"}, {"dest": "/b", "into": True}),
        ({"dest": "/"}, {"dest": "/", "into": True}),
        ({"dest": "//b/./c"}, {"dest": "/b/c"}),
        ({"source": "/a/*.conf"}, {"source": "/a/*.conf"}),
        ({"optional": True, "merge": True}, {"optional": True, "merge": True}),
        ({"optional": False, "merge": False}, {}),
        ({"preserve_properties": True}, {"owner": None, "mode": None}),
        (
            {"preserve_properties": True, "owner": None, "perm": None},
            {"owner": None, "mode": None},
        ),
    ],
    ids=str,
)
def test_an_entry_is_read_as_it_is_meant(keys: dict[str, Any], read: dict[str, Any]) -> None:
    expected = {name: getattr(READ, name) for name in ConfigFile.__slots__} | read
    assert parse(a_file(**keys)).files == (ConfigFile(**expected),)


def test_a_permission_has_a_path_and_what_is_to_change() -> None:
    config = parse(a_permission(recurse=True, exclude=[r"\.log$"]))
    (read,) = config.permissions
    assert (read.path, read.owner, read.mode, read.recurse) == ("/p", Owner("nova"), None, True)
    assert [pattern.pattern for pattern in read.exclude] == [r"\.log$"]


def test_a_permission_may_change_the_mode_alone() -> None:
    content = spelled(permissions=[{"path": "/p", "perm": "0700"}])
    assert parse(content).permissions == (
        Permission(place="permissions[0]", path="/p", mode=0o700),
    )


def test_directories_and_files_are_what_must_be_there() -> None:
    logs = {"path": "/var//log/kolla/", "owner": "fluentd:kolla", "perm": "2775"}
    log = {"path": "/var/log/kolla/a.log", "owner": "nova", "perm": "664"}
    config = parse(spelled(files=[log], directories=[logs]))
    assert config.needed == (
        Needed(
            place="directories[0]",
            path="/var/log/kolla",
            directory=True,
            owner=Owner("fluentd", "kolla"),
            mode=0o2775,
        ),
        Needed(
            place="files[0]",
            path="/var/log/kolla/a.log",
            directory=False,
            owner=Owner("nova"),
            mode=0o664,
        ),
    )


def test_unknown_keys_are_ignored_and_told() -> None:
    config = parse(spelled(config_files=[{**FILE, "optinal": True}], future=1))
    assert config.files == (READ,)
    assert [str(note) for note in config.notes] == [
        "config_files[0].optinal: an unknown key, ignored",
        "future: an unknown key, ignored",
    ]


WRONG = {
    "nothing": (b"", "config.json: is not JSON"),
    "no json": (b"{'command': 1}", "config.json: is not JSON"),
    "a list": (b"[]", "config.json: is not an object"),
    "no command": (b"{}", "command: is missing"),
    "an empty command": (b'{"command": " "}', "command: is empty"),
    "a command that is a list": (b'{"command": ["x"]}', "command: is not a text"),
    "files that are an object": (spelled(config_files={}), "config_files: is not a list"),
    "a file that is a text": (spelled(config_files=["/a"]), "config_files[0]: is not an object"),
    "no source": (a_file(source=None), "config_files[0].source: is missing"),
    "no owner": (a_file(owner=None), "config_files[0].owner: is missing"),
    "no mode": (a_file(perm=None), "config_files[0].perm: is missing"),
    "a mode without quotes": (a_file(perm=600), "config_files[0].perm: is not a text"),
    "a mode that is no octal": (a_file(perm="0689"), "config_files[0].perm: '0689' is not a mode"),
    "a flag in quotes": (a_file(merge="yes"), "config_files[0].merge: is not true or false"),
    "nothing to change": (
        spelled(permissions=[{"path": "/p"}]),
        "permissions[0]: neither 'owner' nor 'perm' is there",
    ),
    "directories that are a text": (spelled(directories="/d"), "directories: is not a list"),
    "a directory without a path": (a_directory(path=None), "directories[0].path: is missing"),
    "a directory without an owner": (a_directory(owner=None), "directories[0].owner: is missing"),
    "a directory without a mode": (a_directory(perm=None), "directories[0].perm: is missing"),
    "a file that is null": (an_empty_file(path=None), "files[0].path: is not a text"),
    "a file with a mode that is a number": (
        an_empty_file(perm=664),
        "files[0].perm: is not a text",
    ),
    "a permission without a path": (
        spelled(permissions=[{"owner": "nova"}]),
        "permissions[0].path: is missing",
    ),
}

HOSTILE = {
    "upwards from the source": (
        a_file(source="/var/lib/kolla/../../../etc/shadow"),
        "config_files[0].source: '/var/lib/kolla/../../../etc/shadow' leads upwards by '..'",
    ),
    "upwards from the dest": (a_file(dest="/a/.."), "config_files[0].dest: '/a/..' leads upwards"),
    "a relative source": (a_file(source="a"), "config_files[0].source: 'a' is not an absolute"),
    "a relative dest": (a_file(dest="./b"), "config_files[0].dest: './b' is not an absolute path"),
    "an empty dest": (a_file(dest=""), "config_files[0].dest: '' is not an absolute path"),
    "a relative permission": (a_permission(path="p"), "permissions[0].path: 'p' is not an absol"),
    "the whole root": (a_file(dest="/."), "config_files[0]: the root directory cannot be"),
    "the root as a directory": (a_directory(path="//"), "directories[0].path: the root directory"),
    "a directory upwards": (a_directory(path="/a/../b"), "directories[0].path: '/a/../b' leads up"),
    "a relative directory": (a_directory(path="d"), "directories[0].path: 'd' is not an absolute"),
    "a glob of directories": (a_directory(path="/d/*"), "directories[0].path: '/d/*' is a glob"),
    "a glob of files": (an_empty_file(path="/f[0]"), "files[0].path: '/f[0]' is a glob"),
    "a newline in a file": (an_empty_file(path="/a\nb"), r"files[0].path: '/a\nb' holds a control"),
    "a NUL in a name": (a_file(dest="/b\0c"), r"config_files[0].dest: '/b\x00c' holds a control"),
    "a newline in a name": (a_file(dest="/b\nc"), r"config_files[0].dest: '/b\nc' holds a control"),
    "a NUL in the command": (b'{"command": "x\\u0000y"}', "command: holds a NUL"),
    "half a character": (
        b'{"command": "\\ud800"}',
        r"command: cannot be read: 'utf-8' codec can't encode character",
    ),
    "a byte in disguise": (
        a_file(dest="/b\udcff"),
        "config_files[0].dest: cannot be read",
    ),
    "not UTF-8": (b'{"command": "\xff"}', "config.json: is not JSON"),
    "a key twice": (
        b'{"command": "x", "command": "y"}',
        "config.json: is not JSON: 'command' stands twice",
    ),
    "an owner with a space": (a_file(owner="nova x"), "config_files[0].owner: 'nova x' is not an"),
    "an owner of three": (a_file(owner="a:b:c"), "config_files[0].owner: 'a:b:c' is not an owner"),
    "an owner with a path": (a_file(owner="../x"), "config_files[0].owner: '../x' is not an owner"),
    "an expression that does not compile": (
        a_permission(exclude=["("]),
        "permissions[0].exclude[0]: cannot be read: missing )",
    ),
    "an expression that is none": (
        a_permission(exclude=[1]),
        "permissions[0].exclude[0]: is not a text",
    ),
    "too deep": (b"[" * 100_000, "config.json: is nested too deeply"),
    "too large": (b" " * (SIZE_LIMIT + 1), f"config.json: has more than {SIZE_LIMIT} bytes"),
    "a number without end": (
        b'{"command": ' + b"9" * 10_000 + b"}",
        "config.json: is not JSON: Exceeds the limit",
    ),
}


@pytest.mark.parametrize("case", [*WRONG, *HOSTILE])
def test_what_is_wrong_is_told_with_its_place(case: str) -> None:
    content, expected = {**WRONG, **HOSTILE}[case]
    told = faults(content)
    assert len(told) == 1
    assert told[0].startswith(expected)
    assert told[0].isprintable()


def test_all_faults_are_told_at_once() -> None:
    content = json.dumps(
        {
            "config_files": [{**FILE, "source": "a", "perm": 1}, 7, {"dest": "/.."}],
            "directories": [{"path": "d", "perm": "9"}, []],
            "files": [{"path": "/f?", "owner": "a b", "perm": "0600"}],
            "permissions": [{"path": "/p", "owner": "a b", "exclude": ["(", ")"]}],
        }
    ).encode()
    assert [fault.partition(": ")[0] for fault in faults(content)] == [
        "command",
        "config_files[0].source",
        "config_files[0].perm",
        "config_files[1]",
        "config_files[2].source",
        "config_files[2].dest",
        "config_files[2].owner",
        "config_files[2].perm",
        "directories[0].path",
        "directories[0].owner",
        "directories[0].perm",
        "directories[1]",
        "files[0].path",
        "files[0].owner",
        "permissions[0].owner",
        "permissions[0].exclude[0]",
        "permissions[0].exclude[1]",
    ]


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["command", "config_files", "directories", "files", "permissions", "source", "dest", "path",
         "perm", "owner", "exclude"]
    ), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(value=_ANY)
def test_any_json_is_read_or_refused(value: object) -> None:
    with suppress(ContractError):
        assert parse(json.dumps(value).encode()).command


@given(content=st.binary(max_size=64))
def test_bytes_that_are_no_object_are_refused(content: bytes) -> None:
    assert faults(content)
