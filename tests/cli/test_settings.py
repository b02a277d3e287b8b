from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lamina.errors import UsageError
from lamina.model.reference import Namespace
from lamina.registry import access_of
from lamina.settings import Flags, Settings, Surroundings, read_settings


def read(folder: Path, flags: Flags | None = None, **environment: str) -> Settings:
    surroundings = Surroundings(
        environment={"HOME": "/home/me", **environment}, folder=folder, cores=3, machine="x86_64"
    )
    return read_settings(flags or Flags(), surroundings)


def write(folder: Path, text: str) -> None:
    (folder / "lamina.toml").write_text(text)


def test_nothing_given_is_enough(tmp_path: Path) -> None:
    assert read(tmp_path) == Settings(
        catalogs=(),
        store=Path("/home/me/.local/share/lamina"),
        lock=tmp_path / "lamina.lock.json",
        distro="debian-13",
        architecture="amd64",
        jobs=3,
        mirrors={},
        profiles={},
        access=access_of({"HOME": "/home/me"}),
    )


def test_the_store_follows_xdg(tmp_path: Path) -> None:
    assert read(tmp_path, XDG_DATA_HOME="/data").store == Path("/data/lamina")


def test_dockers_daemon_is_where_docker_is_told_to_look(tmp_path: Path) -> None:
    assert (
        read(tmp_path, DOCKER_HOST="unix:///run/mine.sock").docker_host == "unix:///run/mine.sock"
    )


def test_without_a_home_the_store_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="LAMINA_STORE"):
        read(tmp_path, HOME="")


def test_every_key_of_the_file_is_read_and_paths_are_relative_to_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
        catalog = ["mine", "/theirs"]
        store = "images"
        lock = "x.json"
        distro = "debian-14"
        architecture = "arm64"
        jobs = 7
        layer_budget = 40
        caches = ["registry.example:5000/fleet", "http://127.0.0.1:5000"]
        [mirrors]
        debian = "https://mirror.example/debian"
        [profiles]
        main = ["kind:infra", "nova+"]
        """,
    )

    assert read(tmp_path) == Settings(
        catalogs=(tmp_path / "mine", Path("/theirs")),
        store=tmp_path / "images",
        lock=tmp_path / "x.json",
        distro="debian-14",
        architecture="arm64",
        jobs=7,
        layer_budget=40,
        mirrors={"debian": "https://mirror.example/debian"},
        profiles={"main": ("kind:infra", "nova+")},
        caches=(
            Namespace(host="registry.example:5000", path="fleet"),
            Namespace(host="127.0.0.1:5000", clear=True),
        ),
        access=access_of({"HOME": "/home/me"}),
    )


FILE = 'catalog = ["f"]\nstore = "f"\nlock = "f"\ndistro = "f"\njobs = 1\nlayer_budget = 11\n'
ENVIRONMENT = {
    "LAMINA_CATALOG": "e",
    "LAMINA_STORE": "e",
    "LAMINA_LOCK": "e",
    "LAMINA_DISTRO": "e",
    "LAMINA_JOBS": "2",
    "LAMINA_LAYER_BUDGET": "12",
}
FLAGS = Flags(
    catalogs=(Path("c"),),
    store=Path("c"),
    lock=Path("c"),
    distro="c",
    jobs=3,
    layer_budget=13,
)


@pytest.mark.parametrize(
    ("flags", "environment", "winner", "jobs"),
    [
        (FLAGS, ENVIRONMENT, "c", 3),
        (FLAGS, {}, "c", 3),
        (Flags(), ENVIRONMENT, "e", 2),
        (Flags(), {}, "f", 1),
        (Flags(), dict.fromkeys(ENVIRONMENT, ""), "f", 1),
    ],
    ids=["all three", "flag and file", "environment and file", "file", "an empty environment"],
)
def test_a_flag_beats_the_environment_beats_the_file(
    tmp_path: Path, flags: Flags, environment: Mapping[str, str], winner: str, jobs: int
) -> None:
    write(tmp_path, FILE)

    settings = read(tmp_path, flags, **environment)

    assert settings.catalogs == (tmp_path / winner,)
    assert (settings.store, settings.lock) == (tmp_path / winner, tmp_path / winner)
    assert (settings.distro, settings.jobs) == (winner, jobs)
    assert settings.layer_budget == 10 + jobs


def test_several_catalogues_of_the_environment_are_split_like_a_path(tmp_path: Path) -> None:
    assert read(tmp_path, LAMINA_CATALOG="a:/b").catalogs == (tmp_path / "a", Path("/b"))


def test_a_mirror_of_the_environment_replaces_only_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, '[mirrors]\ndebian = "http://a.example"\ndebian-security = "http://b.example"')

    settings = read(tmp_path, LAMINA_MIRROR_DEBIAN_SECURITY="http://c.example")

    assert settings.mirrors == {
        "debian": "http://a.example",
        "debian-security": "http://c.example",
    }


@pytest.mark.parametrize("budget", ["many", "1", "126", "-5", "60.0"])
def test_a_layer_budget_must_be_one_that_container_engines_take(
    tmp_path: Path, budget: str
) -> None:
    fault = f"LAMINA_LAYER_BUDGET: not a number from 2 to 125: '{budget}'"
    with pytest.raises(UsageError, match=fault):
        read(tmp_path, LAMINA_LAYER_BUDGET=budget)


@pytest.mark.parametrize("jobs", ["many", "0", "-1", "1.5"])
def test_jobs_of_the_environment_must_be_a_number(tmp_path: Path, jobs: str) -> None:
    with pytest.raises(UsageError, match=f"LAMINA_JOBS: not a number above zero: '{jobs}'"):
        read(tmp_path, LAMINA_JOBS=jobs)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'store = "x"\nmirorrs = {}\n',
            "lamina.toml:2: unknown key 'mirorrs'\n  did you mean 'mirrors'?",
        ),
        (
            '[profiles]\nx = ["a"]\n[zzz]\n',
            "lamina.toml:3: unknown key 'zzz'\n  the keys are catalog, store, lock, distro, "
            "architecture, jobs, layer_budget, caches, mirrors, profiles",
        ),
        (
            "jobs = 1\nlayer_budget = 126\n",
            "lamina.toml:2: layer_budget: input should be less than or equal to 125",
        ),
        ("jobs = 0\n", "lamina.toml:1: jobs: input should be greater than 0"),
        (
            'store = "x"\n\n[profiles]\nbig = "nova"\n',
            "lamina.toml:4: profiles.big: input should be a valid list",
        ),
        (
            "[mirrors]\ndebian = 5\n",
            "lamina.toml:2: mirrors.debian: input should be a valid string",
        ),
        (
            'jobs = 1\ncaches = ["registry/fleet"]\n',
            "lamina.toml:2: caches: registry/fleet: 'registry' is no registry",
        ),
        ("caches = [5]\n", "lamina.toml:1: caches: input should be a text"),
        ("store = \n", "lamina.toml:1: not TOML: invalid value"),
        (
            "jbos = 1\ndistro = 2\n",
            "lamina.toml:1: unknown key 'jbos'\n  did you mean 'jobs'?\n"
            "lamina.toml:2: distro: input should be a valid string",
        ),
    ],
)
def test_a_broken_file_is_reported_with_its_lines(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path, text)

    with pytest.raises(UsageError) as caught:
        read(tmp_path)

    assert str(caught.value) == expected
