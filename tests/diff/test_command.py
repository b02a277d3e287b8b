"""`lamina diff` over a store and locks that nobody had to build."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.cli.conftest import Lamina, folder, lamina, zoo
from tests.cli.conftest import values as found
from tests.cli.zoo import load_zoo
from tests.diff import values
from tests.diff.builds import put, tag

from lamina.console import size_text
from lamina.lock import write_lock
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.image import ImageId, Runtime
from lamina.model.lock import Lock, UnitRef
from lamina.plan import inputs_of
from lamina.store.store import Store

__all__ = ["folder", "lamina", "zoo"]  # fixtures of the command line's own tests

SERVER = "zebra-server"
LINE = ("base", "zebra-base", SERVER)
OLD, NEW = values.unit("zebra", "1.0", size=1000), values.unit("zebra", "1.1", size=1500)
STRIPES = values.unit("stripes", "2", size=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zebras:
    """A catalogue of zebras, and a store."""

    folder: Path
    store: Store


@pytest.fixture
def zebras(zoo: Path) -> Zebras:
    return Zebras(folder=zoo, store=Store.open(zoo / "store"))


@pytest.fixture
def built(zebras: Zebras) -> tuple[Built, Built]:
    """A zebra server that was built twice: a package and files changed, its base did not."""
    base = put(zebras.store, "base", {"etc/os-release": "13"}, units=[values.unit("libc")])
    first = put(
        zebras.store,
        SERVER,
        {"etc/stripes": "black", "usr/bin/zebra": "1"},
        units=[OLD],
        parent=base,
        runtime=Runtime(user="zebra"),
    )
    second = put(
        zebras.store,
        SERVER,
        {"etc/motd": "hello", "etc/stripes": "black and white", "usr/bin/zebra": "1"},
        units=[STRIPES, NEW],
        parent=base,
        runtime=Runtime(user="zebra", environment={"HORNS": "none"}),
    )
    tag(zebras.store, first)
    tag(zebras.store, second)
    return first, second


def written(zebras: Zebras, name: str, *own: UnitRef, distro: str = "debian-13") -> Lock:
    """Write a lock in which the zebra server has these packages, all in one group."""
    lock = values.lock({**dict.fromkeys(LINE[:-1], ()), SERVER: [own] if own else []})
    lock = replace(lock, distro=distro)
    write_lock(lock, zebras.folder / name)
    return lock


def test_without_more_words_the_last_build_is_compared_with_the_one_before(
    lamina: Lamina, zebras: Zebras, built: tuple[Built, Built]
) -> None:
    first, second = built

    ran = lamina("diff", "quagga")

    size = size_text
    base, gone, new = first.layers[0], first.layers[1], second.layers[1]
    fetched = size(second.manifest_size + config_size(zebras, second) + new.size)
    assert (ran.code, ran.err) == (0, "reading the layers of zebra-server\n")
    assert ran.out.splitlines()[:15] == [
        f"zebra-server: previous ({first.manifest.short}) -> current ({second.manifest.short})",
        "",
        "PACKAGE  CHANGE   OLD  NEW    SIZE  FROM",
        "stripes  added    -    2     +30 B  zebra-server",
        "zebra    updated  1.0  1.1  +500 B  zebra-server",
        "packages: 1 added, 0 removed, 1 updated, 0 moved; +530 B of package files",
        "",
        "PATH          CHANGE   WHAT      SIZE",
        "/etc/motd     added              +5 B",
        "/etc/stripes  changed  content  +10 B",
        "files: 1 added, 0 removed, 1 changed; +15 B",
        "",
        "SETTING            OLD  NEW",
        "environment HORNS  -    none",
        "",
    ]
    header, *layers, told, to_fetch = ran.out.splitlines()[15:]
    assert header.split() == ["LAYER", "CHANGE", "COMPRESSED", "UNCOMPRESSED", "HOLDS"]
    assert [re.split("  +", line) for line in layers] == [
        [
            *(new.digest.short, "new", size(new.size), size(new.apparent)),
            "stripes_2_amd64, zebra_1.1_amd64",
        ],
        [gone.digest.short, "gone", size(gone.size), size(gone.apparent), "zebra_1.0_amd64"],
    ]
    assert told == (
        f"layers: 1 kept ({size(base.size)}), 1 new ({size(new.size)}), 1 gone ({size(gone.size)})"
    )
    assert to_fetch == (
        f"to fetch where the old image is: {fetched}; "
        f"{fetched} where layers are shared by equal prefixes only"
    )


def config_size(zebras: Zebras, built: Built) -> int:
    return zebras.store.layout.blob_path(built.config).stat().st_size


def test_as_json_it_has_all_that_and_more(
    lamina: Lamina, zebras: Zebras, built: tuple[Built, Built]
) -> None:
    first, second = built

    said = found(lamina("diff", SERVER, "--json"))

    assert (said["image"], said["equal"]) == (SERVER, False)
    assert said["old"] == {"name": "previous", "manifest": str(first.manifest)}
    assert said["new"] == {"name": "current", "manifest": str(second.manifest)}
    assert [(one["package"], one["change"], one["growth"]) for one in said["packages"]] == [
        ("stripes", "added", 30),
        ("zebra", "updated", 500),
    ]
    assert said["packages"][1]["old"] == {
        "version": "1.0",
        "architecture": "amd64",
        "digest": str(OLD.digest),
        "size": 1000,
        "image": SERVER,
    }
    motd, stripes = said["files"]
    assert (motd["path"], motd["change"], motd["old"]) == ("/etc/motd", "added", None)
    assert (motd["new"]["type"], motd["new"]["size"]) == ("file", 5)
    assert (stripes["what"], stripes["growth"]) == (["content"], 10)
    assert stripes["new"]["content"] == str(Digest.of(b"black and white"))
    assert said["runtime"] == [{"setting": "environment HORNS", "old": None, "new": "none"}]
    (base,), (new,), (gone,) = (said["layers"][part] for part in ("kept", "new", "gone"))
    assert base["digest"] == str(first.layers[0].digest)
    assert new["units"] == ["stripes_2_amd64", "zebra_1.1_amd64"]
    assert gone["size"] == first.layers[1].size
    fetched = second.manifest_size + config_size(zebras, second) + new["size"]
    assert said["fetch"] == {"blobs": fetched, "prefix": fetched}
    assert said["groups"] is None


def test_a_digest_or_its_beginning_means_a_build(
    lamina: Lamina, built: tuple[Built, Built]
) -> None:
    first, second = built

    said = found(lamina("diff", SERVER, "--json", str(second.manifest), first.manifest.hex[:8]))

    assert said["old"]["manifest"] == str(second.manifest)
    assert said["new"]["manifest"] == str(first.manifest)
    assert [one["change"] for one in said["packages"]] == ["removed", "updated"]


def test_the_exit_code_tells_a_difference_only_when_it_is_asked_to(
    lamina: Lamina, built: tuple[Built, Built]
) -> None:
    manifest = str(built[1].manifest)

    assert lamina("diff", SERVER).code == 0
    assert lamina("diff", SERVER, "--exit-code").code == 1
    assert lamina("diff", SERVER, "--exit-code", "--json").code == 1
    same = lamina("diff", SERVER, "--exit-code", manifest)
    assert (same.code, same.err) == (0, "")
    assert same.out.splitlines()[1:] == ["no differences"]


def test_many_files_are_summed_up_unless_every_one_is_asked_for(
    lamina: Lamina, zebras: Zebras
) -> None:
    many = {f"usr/share/zebra/{number:02}": "x" for number in range(30)}
    for files in ({"etc/a": "1"}, {"etc/a": "22"} | many):
        tag(zebras.store, put(zebras.store, SERVER, files))

    short, long = lamina("diff", SERVER).out, lamina("diff", SERVER, "--files").out

    assert [line.split() for line in short.splitlines()[2:7]] == [
        ["DIRECTORY", "ADDED", "REMOVED", "CHANGED", "SIZE"],
        ["/", "1", "0", "0", "0", "B"],
        ["/etc", "0", "0", "1", "+1", "B"],
        ["/usr", "1", "0", "0", "0", "B"],
        ["/usr/share", "1", "0", "0", "0", "B"],
    ]
    assert "files: 33 added, 0 removed, 1 changed; +31 B; --files shows every one" in short
    assert sum(line.startswith("/usr/share/zebra/") for line in long.splitlines()) == 30
    assert "--files" not in long


def test_what_an_image_holds_cannot_write_to_the_terminal(lamina: Lamina, zebras: Zebras) -> None:
    name = b"etc/\x1b[2J\xff".decode(errors="surrogateescape")
    label = Runtime(labels={"a": "\x1b\n"})
    tag(zebras.store, put(zebras.store, SERVER, {}))
    tag(zebras.store, put(zebras.store, SERVER, {name: "x"}, runtime=label))

    ran = lamina("diff", SERVER)

    assert "/etc/\\x1b[2J\\xff  added" in ran.out
    assert "label a  -    \\x1b\\n" in ran.out
    assert "\x1b" not in ran.out
    assert found(lamina("diff", SERVER, "--json"))["files"][1]["path"] == "/etc/\\x1b[2J\\xff"


def test_two_locks_are_compared_in_packages_and_groups(lamina: Lamina, zebras: Zebras) -> None:
    written(zebras, "old.json", OLD)
    written(zebras, "new.json", NEW, STRIPES)

    ran = lamina("diff", SERVER, "old.json", "new.json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "zebra-server: old.json -> new.json",
        "",
        "PACKAGE  CHANGE   OLD  NEW    SIZE  FROM",
        "stripes  added    -    2     +30 B  zebra-server",
        "zebra    updated  1.0  1.1  +500 B  zebra-server",
        "packages: 1 added, 0 removed, 1 updated, 0 moved; +530 B of package files",
        "",
        "GROUP                             CHANGE    SIZE",
        "stripes_2_amd64, zebra_1.1_amd64  new     1.5 kB",
        "zebra_1.0_amd64                   gone    1.0 kB",
        "layer groups: 0 kept, 1 new, 1 gone; 1.5 kB of package files in new ones",
        "files, layers and runtime configuration are not compared: "
        "the store has no image that was built from this catalogue and old.json or new.json",
    ]


def test_a_lock_and_a_build_are_compared_in_packages(
    lamina: Lamina, zebras: Zebras, built: tuple[Built, Built]
) -> None:
    written(zebras, "new.json", NEW)

    said = found(lamina("diff", SERVER, "--json", "current", "new.json"))

    assert said["new"] == {"name": "new.json", "manifest": None}
    assert [(one["package"], one["change"]) for one in said["packages"]] == [
        ("libc", "removed"),
        ("stripes", "removed"),
    ]
    assert [said[part] for part in ("groups", "files", "runtime", "layers", "fetch")] == [None] * 5


def test_a_lock_whose_image_the_store_has_is_compared_in_everything(
    lamina: Lamina, zebras: Zebras
) -> None:
    catalog = load_zoo(zebras.folder)
    for name, text, *units in (("old.json", "1", OLD), ("new.json", "2", NEW)):
        lock = written(zebras, name, *units)
        parent: Built | None = None
        for id_ in map(ImageId, LINE):
            inputs = inputs_of(
                catalog.by_id()[id_],
                lock.by_id()[id_],
                distro=catalog.distro,
                lock=lock,
                parent=parent.manifest if parent else None,
            )
            own = lock.units_of(lock.by_id()[id_])
            files = {"etc/zebra": text} if id_.name == SERVER else {"etc/base": ""}
            parent = put(zebras.store, str(id_), files, units=own, parent=parent, inputs=inputs)

    said = found(lamina("diff", SERVER, "--json", "old.json", "new.json"))

    assert [one["path"] for one in said["files"]] == ["/etc/zebra"]
    assert [len(said["layers"][part]) for part in ("kept", "new", "gone")] == [1, 1, 1]
    assert [one["units"] for one in said["groups"]["new"]] == [["zebra_1.1_amd64"]]
    assert said["new"]["manifest"] is not None


def test_an_image_that_was_never_built_says_so(lamina: Lamina, zebras: Zebras) -> None:
    ran = lamina("diff", SERVER)

    assert (ran.code, ran.err) == (
        2,
        "zebra-server: it is not built\n  run `lamina build zebra-server`\n",
    )


def test_an_image_that_was_built_once_has_nothing_to_be_compared_with(
    lamina: Lamina, zebras: Zebras
) -> None:
    tag(zebras.store, put(zebras.store, SERVER, {}))

    ran = lamina("diff", SERVER)

    assert ran.code == 2
    assert ran.err == (
        "zebra-server: it has no previous build\n"
        "  say a lock's path, or at least 8 hex digits of a manifest's digest\n"
    )


def test_a_previous_build_that_was_collected_is_told(
    lamina: Lamina, built: tuple[Built, Built]
) -> None:
    assert lamina("gc").code == 0

    ran = lamina("diff", SERVER)

    assert ran.code == 2
    assert ran.err.startswith("zebra-server: its previous build is no longer in the store: ")


def test_digests_that_mean_no_build_of_the_image_are_told(
    lamina: Lamina, built: tuple[Built, Built]
) -> None:
    base = built[0].parent
    assert base is not None

    unknown, other = lamina("diff", SERVER, "00000000"), lamina("diff", SERVER, str(base))

    assert (unknown.code, other.code) == (2, 2)
    assert "sha256:00000000: no manifest of 'zebra-server' in the store begins so" in unknown.err
    assert f"{base}: a manifest of 'base', not of 'zebra-server'" in other.err


def test_damage_of_a_layer_is_told_with_its_image(
    lamina: Lamina, zebras: Zebras, built: tuple[Built, Built]
) -> None:
    layer = built[0].layers[-1]
    zebras.store.layout.blob_path(layer.digest).write_bytes(bytes(layer.size))

    ran = lamina("diff", SERVER)

    assert ran.code == 1
    assert f"zebra-server: blob {layer.digest} is damaged" in ran.err
    assert "`lamina build zebra-server` mends what is current" in ran.err


def test_a_lock_that_cannot_be_compared_is_told(lamina: Lamina, zebras: Zebras) -> None:
    written(zebras, "old.json", distro="debian-12")
    written(zebras, "new.json")

    assert lamina("diff", SERVER, "old.json", "new.json").err == (
        "old.json: the lock is for debian-12 amd64, the catalogue for debian-13 amd64\n"
        "  give `--distro debian-12`, or another lock\n"
    )
    assert lamina("diff", "source-yak-api", "new.json", "new.json").err == (
        "new.json: the lock has no image 'source-yak-api'\n  give a lock that has it\n"
    )
    assert lamina("diff", SERVER, "curent", "new.json").err == (
        "curent: there is no such lock\n  did you mean 'current'?\n"
    )
