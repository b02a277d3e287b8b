"""What commands print, of a fleet with a lock and a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.conftest import Lamina, values
from tests.cli.zoo import ZOO, write_zoo_lock

from lamina.catalog import default_folder
from lamina.model.built import Built
from lamina.model.image import ImageId, Type

SERVER = ImageId("zebra-server")
SOURCE_YAK = ImageId("yak-api", Type.SOURCE)
BLOCKED = "its parent 'zebra-client' cannot be built: too fast"


@pytest.mark.usefixtures("zoo")
def test_list_shows_a_row_for_each_name(lamina: Lamina) -> None:
    ran = lamina("list", *ZOO)

    assert ran.code == 0
    assert [line.split(maxsplit=4) for line in ran.out.splitlines()] == [
        ["NAME", "KIND", "TYPES", "PARENT", "BUILT"],
        ["yak-api", "openstack", "binary,source", "base"],
        ["zebra-base", "infra", "base"],
        ["zebra-client", "infra", "zebra-base", "cannot", "be: too fast"],
        ["zebra-foal", "infra", "zebra-client", "cannot", f"be: {BLOCKED}"],
        ["zebra-server", "infra", "zebra-base"],
    ]


@pytest.mark.usefixtures("zoo")
def test_list_as_json_has_what_scripts_rely_on(lamina: Lamina) -> None:
    yak, client, server = values(
        lamina("list", "--json", "yak-api", "zebra-client", "zebra-server")
    )

    assert yak == {
        "name": "yak-api",
        "kind": "openstack",
        "types": ["binary", "source"],
        "family": "yak",
        "parent": "base",
        "aliases": [],
        "buildable": True,
        "summary": "",
    }
    assert (client["buildable"], client["reason"]) == (False, "too fast")
    assert (server["types"], server["aliases"]) == ([], ["quagga"])


def test_list_as_json_has_manifests_once_they_are_built(
    lamina: Lamina, built: Mapping[ImageId, Built]
) -> None:
    yak, server = values(lamina("list", "--json", "yak-api", "zebra-server"))

    assert server["manifest"] == str(built[SERVER].manifest)
    assert yak["manifest"] == {
        "binary": str(built[ImageId("yak-api", Type.BINARY)].manifest),
        "source": str(built[SOURCE_YAK].manifest),
    }


@pytest.mark.usefixtures("zoo")
def test_list_can_show_only_what_cannot_be_built_and_why(lamina: Lamina) -> None:
    ran = lamina("list", "--unbuildable", *ZOO)

    assert ran.out == (f"NAME          WHY NOT\nzebra-client  too fast\nzebra-foal    {BLOCKED}\n")


@pytest.mark.usefixtures("zoo")
def test_what_cannot_be_built_is_told_of_any_distribution(lamina: Lamina) -> None:
    elsewhere = values(
        lamina("list", "--json", "--unbuildable", "--distro", "rocky-9", "--kind", "infra", *ZOO)
    )

    assert [(one["name"], one["reason"]) for one in elsewhere] == []
    ovs = values(lamina("list", "--json", "--unbuildable", "--distro", "rocky-9", "family:ovsdpdk"))
    why = "Open vSwitch is not packaged with DPDK apart"
    assert {one["name"]: one["reason"] for one in ovs} == {
        "ovsdpdk": why,
        "ovsdpdk-db": f"its parent 'ovsdpdk' cannot be built: {why}",
        "ovsdpdk-vswitchd": f"its parent 'ovsdpdk' cannot be built: {why}",
    }
    assert not any(one["buildable"] for one in ovs)


@pytest.mark.usefixtures("zoo")
def test_a_distribution_that_can_have_everything_says_so(lamina: Lamina) -> None:
    ran = lamina("list", "--unbuildable", "zebra-server")

    assert ran.out == "debian-13 can have every one of these images\n"
    assert values(lamina("list", "--unbuildable", "--json", "zebra-server")) == []


@pytest.mark.usefixtures("zoo")
def test_a_kind_can_be_chosen_beside_any_selection(lamina: Lamina) -> None:
    assert [
        one["name"] for one in values(lamina("list", "--json", "--kind", "openstack", *ZOO))
    ] == ["yak-api"]
    kinds = {one["kind"] for one in values(lamina("list", "--json", "--kind", "infra"))}
    assert kinds == {"infra"}
    assert lamina("tree", "--kind", "openstack", *ZOO).out == (
        "base\n├── binary-yak-api\n└── source-yak-api\n"
    )


@pytest.mark.usefixtures("zoo")
def test_list_can_print_references(lamina: Lamina) -> None:
    legacy = lamina("list", "zebra-server", "--names", "legacy", "--tag", "9")
    split = values(lamina("list", "yak-api", "--names", "split", "--json"))

    assert legacy.out == (
        "debian-binary-zebra-server:9\n"
        "debian-source-zebra-server:9\n"
        "debian-binary-quagga:9\n"
        "debian-source-quagga:9\n"
    )
    assert split == {
        "debian-binary-yak-api:latest": "binary-yak-api",
        "debian-source-yak-api:latest": "source-yak-api",
    }


@pytest.mark.usefixtures("zoo")
def test_tree_draws_images_below_their_parents(lamina: Lamina) -> None:
    assert lamina("tree", *ZOO).out == (
        "base\n"
        "├── binary-yak-api\n"
        "├── source-yak-api\n"
        "└── zebra-base\n"
        "    ├── zebra-client  (cannot be built: too fast)\n"
        f"    │   └── zebra-foal  (cannot be built: {BLOCKED})\n"
        "    └── zebra-server\n"
    )


@pytest.mark.usefixtures("zoo")
def test_tree_as_json_is_nested(lamina: Lamina) -> None:
    assert values(lamina("tree", "quagga", "--json")) == [
        {
            "image": "base",
            "children": [
                {
                    "image": "zebra-base",
                    "children": [{"image": "zebra-server", "children": []}],
                }
            ],
        }
    ]


@pytest.mark.usefixtures("zoo")
def test_docs_writes_pages_of_all_catalogues_and_tells_which(lamina: Lamina, folder: Path) -> None:
    first = values(lamina("docs", "--to", "pages", "--json"))
    again = lamina("docs", "--to", "pages")

    pages = sorted(path.name for path in (folder / "pages").iterdir())
    assert {"README.md", "base.md", "yak.md", "zebra.md"} <= set(pages)
    assert first == {"written": first["written"], "unchanged": [], "removed": []}
    assert sorted(first["written"]) == pages
    assert again.out == f"pages: 0 written, {len(pages)} unchanged, 0 removed\n"
    zebra = (folder / "pages" / "zebra.md").read_text()
    assert "Written in `zoo/infra/zebra.yaml`." in zebra
    assert "- Not for: too fast (debian-12, debian-13)" in zebra


@pytest.mark.usefixtures("zoo")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            (),
            "digraph fleet {\n"
            "  rankdir=LR;\n"
            "  node [shape=box];\n"
            '  "base";\n'
            '  "source-yak-api" [style=rounded];\n'
            '  "base" -> "source-yak-api";\n'
            "}\n",
        ),
        (
            ("--format", "mermaid"),
            'flowchart LR\n  n0["base"]\n  n1("source-yak-api")\n  n0 --> n1\n',
        ),
    ],
    ids=["dot", "mermaid"],
)
def test_graph_speaks_two_languages(lamina: Lamina, words: tuple[str, ...], expected: str) -> None:
    assert lamina("graph", "source-yak-api", *words).out == expected


@pytest.mark.usefixtures("zoo")
def test_graph_as_json_has_images_and_edges(lamina: Lamina) -> None:
    assert values(lamina("graph", "source-yak-api", "--json")) == {
        "images": [
            {"image": "base", "kind": "infra"},
            {"image": "source-yak-api", "kind": "openstack"},
        ],
        "edges": [{"parent": "base", "child": "source-yak-api"}],
    }


def test_plan_of_a_built_fleet_has_nothing_to_do(
    lamina: Lamina, built: Mapping[ImageId, Built]
) -> None:
    ran = lamina("plan", "zebra-server", "yak-api", "--detailed-exitcode")

    assert (ran.code, ran.out) == (0, "0 to build, 5 unchanged, 0 blocked\n")
    assert len(built) == 5


@pytest.mark.usefixtures("built")
def test_plan_says_what_changed_and_can_tell_by_its_exit_code(lamina: Lamina, zoo: Path) -> None:
    write_zoo_lock(zoo, zebra="1.1")

    ran = lamina("plan", *ZOO, "--detailed-exitcode")

    assert ran.code == 2
    assert ran.out.splitlines() == [
        "IMAGE         ACTION   REASONS",
        "zebra-client  blocked  too fast",
        "zebra-server  build    package zebra 1.0 -> 1.1",
        f"zebra-foal    blocked  {BLOCKED}",
        "1 to build, 4 unchanged, 2 blocked",
    ]


def test_plan_says_which_images_have_tests_to_be_run_alone(
    lamina: Lamina, zoo: Path, built: Mapping[ImageId, Built]
) -> None:
    file = zoo / "zoo" / "infra" / "zebra.yaml"
    file.write_text(file.read_text().replace("[zebra, --version]", "[zebra, --help]"))

    ran = lamina("plan", "zebra-server", "--detailed-exitcode")

    assert ran.code == 2
    assert ran.out.splitlines()[-1] == "0 to build, 1 to test, 2 unchanged, 0 blocked"
    steps = values(lamina("plan", "zebra-server", "--json"))["steps"]
    assert [(step["image"], step["action"]) for step in steps] == [
        ("base", "keep"),
        ("zebra-base", "keep"),
        ("zebra-server", "test"),
    ]
    assert steps[-1]["reasons"] == ["not tested as the catalogue says now"]


def test_plan_as_json_has_every_step_with_its_reasons(lamina: Lamina, zoo: Path) -> None:
    write_zoo_lock(zoo)

    assert values(lamina("plan", "zebra-foal", "zebra-base", "--json")) == {
        "steps": [
            {"image": "base", "action": "build", "reasons": ["new"]},
            {"image": "zebra-base", "action": "build", "reasons": ["new"]},
            {"image": "zebra-client", "action": "blocked", "reasons": ["too fast"]},
            {"image": "zebra-foal", "action": "blocked", "reasons": [BLOCKED]},
        ]
    }


def test_plan_says_why_an_image_that_was_built_is_new(
    lamina: Lamina, zoo: Path, built: Mapping[ImageId, Built]
) -> None:
    layer = built[SERVER].layers[-1].digest
    (zoo / "store" / "oci" / "blobs" / "sha256" / layer.hex).unlink()

    ran = lamina("plan", "zebra-server")

    assert ran.err.startswith(f"zebra-server: its blob {layer} is missing\n")
    assert "zebra-server  build   new\n" in ran.out


def test_plan_leaves_no_store_behind(lamina: Lamina, zoo: Path) -> None:
    write_zoo_lock(zoo)

    assert lamina("plan").code == 0
    assert not (zoo / "store").exists()


def test_plan_refuses_a_lock_of_another_catalogue(lamina: Lamina, zoo: Path) -> None:
    write_zoo_lock(zoo)
    zebra = zoo / "zoo" / "infra" / "zebra.yaml"
    zebra.write_text(zebra.read_text().replace("[zebra]", "[zebra, hoof]"))

    ran = lamina("plan")

    assert ran.code == 2
    assert ran.err == (
        f"{zoo}/lamina.lock.json: the lock does not fit the catalogue\n"
        "  zebra-server: packages changed +hoof\n"
        "  bring it up to date with `lamina lock`\n"
    )


def test_lock_check_tells_by_its_exit_code(lamina: Lamina, zoo: Path) -> None:
    write_zoo_lock(zoo)

    assert lamina("lock", "--check").code == 0
    assert values(lamina("lock", "--check", "--json"))["units"] == 1

    (zoo / "zoo" / "infra" / "gnu.yaml").write_text("images:\n  gnu: {parent: base}\n")

    ran = lamina("lock", "--check")
    assert (ran.code, "image gnu added" in ran.err) == (2, True)


def test_lock_with_nothing_new_needs_no_network_and_writes_nothing(
    lamina: Lamina, zoo: Path
) -> None:
    lock = write_zoo_lock(zoo)
    before = (zoo / "lamina.lock.json").stat().st_mtime_ns

    ran = lamina("lock")

    assert ran.out == (
        f"{zoo}/lamina.lock.json: unchanged, {len(lock.images)} images, 1 packages in 1 layers\n"
    )
    assert (zoo / "lamina.lock.json").stat().st_mtime_ns == before


@pytest.mark.usefixtures("built")
def test_gc_tells_what_it_would_delete_and_then_deletes_it(lamina: Lamina, zoo: Path) -> None:
    unneeded = zoo / "store" / "downloads" / ("0" * 64)
    unneeded.write_text("old package")

    would = values(lamina("gc", "--dry-run", "--json"))

    assert would["removed"] == [
        {"what": "downloads", "digest": "sha256:" + "0" * 64, "size": 11},
    ]
    assert unneeded.exists()

    did = lamina("gc")

    assert did.out.splitlines()[0] == "downloads 000000000000 11 B"
    assert not unneeded.exists()
    assert values(lamina("gc", "--json"))["removed"] == []


def test_schema_knows_the_keys_of_an_image(lamina: Lamina) -> None:
    assert '"healthcheck"' in json.dumps(values(lamina("schema")))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(lamina: Lamina, shell: str) -> None:
    ran = lamina("completion", shell)

    assert ran.code == 0
    assert "_LAMINA_COMPLETE" in ran.out


def test_a_shell_completes_distributions(lamina: Lamina, zoo: Path) -> None:
    (zoo / "zoo" / "distros").mkdir()
    own = (default_folder() / "distros" / "debian-13.yaml").read_text()
    (zoo / "zoo" / "distros" / "debian-14.yaml").write_text(own.replace("debian-13", "debian-14"))

    def completed(words: str, count: int) -> list[str]:
        return lamina(
            _LAMINA_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(count)
        ).out.split()

    assert completed("lamina list --distro debian-1", 3) == [
        *("plain,debian-12", "plain,debian-13", "plain,debian-14")
    ]
    assert completed("lamina lock --distro rock", 3) == ["plain,rocky-9"]
    assert completed("lamina build --distro plan9", 3) == []


@pytest.mark.usefixtures("zoo")
def test_a_shell_completes_commands_and_images(lamina: Lamina) -> None:
    commands = lamina(_LAMINA_COMPLETE="bash_complete", COMP_WORDS="lamina st", COMP_CWORD="1")
    images = lamina(
        _LAMINA_COMPLETE="bash_complete", COMP_WORDS="lamina build zebra-s", COMP_CWORD="2"
    )

    assert commands.out.split() == ["plain,storage"]
    assert images.out.split() == ["plain,zebra-server"]


def test_a_wrong_catalogue_does_not_disturb_somebody_who_types(lamina: Lamina, zoo: Path) -> None:
    (zoo / "zoo" / "infra" / "zebra.yaml").write_text("immages: {}\n")

    ran = lamina(_LAMINA_COMPLETE="bash_complete", COMP_WORDS="lamina build zeb", COMP_CWORD="2")

    assert (ran.code, ran.out.strip(), ran.err) == (0, "", "")
