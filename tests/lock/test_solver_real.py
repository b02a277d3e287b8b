"""apt's library, asked our way, answers as apt-get does; its root is made safely."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tests.lock.fleets import DEBIAN, a_distro, an_image

from lamina.backends.deb.solver import Question, Solution, Solver, running_solver
from lamina.backends.deb.solver_root import (
    SolverRoot,
    list_name,
    read_indices,
    solver_root,
    update_indices,
)
from lamina.errors import BuildError, NetworkError, UsageError
from lamina.mirrors import Mirrors, find_mirrors
from lamina.model.image import Image
from lamina.model.lock import UnitRef

pytestmark = pytest.mark.real

SETS = [
    ["cron"],
    ["haproxy", "keepalived"],
    ["mariadb-server"],
    ["memcached", "redis-server", "chrony"],
    ["openvswitch-switch", "python3"],
    ["rabbitmq-server"],
    ["squid"],
    ["ceph-osd"],
]


@pytest.fixture(scope="module")
def root(store: Path) -> Iterator[SolverRoot]:
    distro = a_distro(DEBIAN)
    mirrors = find_mirrors(["debian"], {})
    with solver_root(distro, distro.repositories, mirrors, store) as root:
        update_indices(root)
        yield root


@pytest.fixture(scope="module")
def solver(root: SolverRoot) -> Iterator[Solver]:
    with running_solver(root) as solver:
        yield solver


def solve(solver: Solver, image: Image, installed: tuple[UnitRef, ...] | None) -> Solution:
    answer = solver.solve(Question(image=image, installed=installed, repositories=("debian",)))
    assert isinstance(answer, Solution), answer
    return answer


@pytest.fixture(scope="module")
def base(solver: Solver) -> Solution:
    return solve(solver, an_image("base", None, ["ca-certificates", "tzdata"]), None)


def simulated(root: SolverRoot, units: tuple[UnitRef, ...], packages: list[str]) -> list[str]:
    """Return the steps of `apt-get install --simulate` over a status with these units."""
    stanzas = root.path / "var/lib/lamina/stanzas"
    status = root.path / "tmp/status"
    entries = []
    for unit in sorted(units, key=lambda unit: unit.name):
        first, _, rest = (stanzas / unit.digest.hex).read_text().partition("\n")
        entries.append(f"{first}\nStatus: install ok installed\n{rest.strip()}\n")
    status.write_text("\n".join(entries))
    options = [
        "-oDir::State::status=/tmp/status",
        "-oDir::Etc::sourcelist=/dev/null",
        "-oDir::Etc::sourceparts=/var/lib/lamina/sources",
    ]
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", *options, *packages]
    done = subprocess.run(
        ["chroot", root.path, *command], capture_output=True, check=True, text=True
    )
    words = {"Inst": "unpack", "Conf": "configure"}
    lines = [line.split() for line in done.stdout.splitlines()]
    return [f"{words[line[0]]} {line[1]}" for line in lines if line and line[0] in words]


@pytest.mark.parametrize("packages", SETS, ids=lambda packages: packages[0])
def test_the_order_is_the_one_of_apt_get(
    root: SolverRoot, solver: Solver, base: Solution, packages: list[str]
) -> None:
    solution = solve(solver, an_image("image", "base", packages), base.units)
    keys = {unit.key: unit.name for unit in solution.units}
    found = [f"{call.action} {keys[key]}" for call in solution.calls for key in call.units]
    expected = simulated(root, base.units, sorted(packages))
    assert found == expected[: len(found)]
    # What is left is what one `dpkg --configure --pending` does at the end.
    assert {step.split()[0] for step in expected[len(found) :]} <= {"configure"}
    actions = [call.action for call in solution.calls]
    assert all(one != other for one, other in pairwise(actions))


def test_the_bootstrap_is_what_apt_takes_for_essential_packages_and_account_tools(
    root: SolverRoot, base: Solution
) -> None:
    (root.path / "tmp/empty").write_text("")
    command = [
        "apt-get",
        "install",
        "--simulate",
        "--no-install-recommends",
        "?essential",
        "passwd",
    ]
    options = [
        "-oDir::State::status=/tmp/empty",
        "-oDir::Etc::sourcelist=/dev/null",
        "-oDir::Etc::sourceparts=/var/lib/lamina/sources",
        "-opkgCacheGen::ForceEssential=,",  # or apt counts itself
        "-oDir::Cache::srcpkgcache=",
    ]
    done = subprocess.run(
        ["chroot", root.path, *command, *options], capture_output=True, check=True, text=True
    )
    expected = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")]
    names = {unit.key: unit.name for unit in base.units}
    assert [names[key] for key in base.bootstrap] == sorted(expected)


def test_one_question_leaves_nothing_behind_for_the_next(solver: Solver, base: Solution) -> None:
    image = an_image("image", "base", ["squid"])
    before = solve(solver, image, base.units)
    conflict = an_image("conflict", "base", ["exim4-daemon-light", "postfix"])
    solver.solve(Question(image=conflict, installed=base.units, repositories=("debian",)))
    assert solve(solver, image, base.units) == before


def test_the_indices_are_the_ones_that_apt_verified(root: SolverRoot) -> None:
    (index,) = read_indices(root)
    assert (index.repository, index.suite) == ("debian", "trixie")
    assert index.date.endswith("Z")


@pytest.mark.parametrize(
    "url",
    [
        "http://mirror.example/debian/dists/trixie/InRelease",
        "https://me:secret@mirror.example:8080/debian_x/dists/trixie~a/InRelease",
        "http://127.0.0.1:3142/a%20b/dists/trixie-updates/InRelease",
        "file:/srv/a+b=c@d/dists/stable/InRelease",
        "file:///srv/extras/dists/stable/InRelease",
    ],
)
def test_a_list_has_the_name_that_apt_gives_it(root: SolverRoot, url: str) -> None:
    program = "import apt_pkg, sys; print(apt_pkg.uri_to_filename(sys.argv[1]), end='')"
    command = ["chroot", str(root.path), "python3", "-c", program, url]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert list_name(url) == done.stdout


def test_a_distribution_whose_key_is_not_installed_is_told(tmp_path: Path) -> None:
    distro = a_distro(replace(DEBIAN, keyring="/usr/share/keyrings/of-nowhere.gpg"))
    with (
        pytest.raises(UsageError, match="install of-nowhere"),
        solver_root(distro, distro.repositories, Mirrors(urls={}), tmp_path),
    ):
        pass


def test_nothing_of_the_root_stays_mounted(root: SolverRoot, base: Solution) -> None:
    assert base.units
    assert str(root.path) not in Path("/proc/mounts").read_text()


def test_a_root_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    distro = a_distro(DEBIAN)
    mirrors = Mirrors(urls={"debian": "http://127.0.0.1:9/debian"})
    with (
        pytest.raises((NetworkError, BuildError), match="check the network"),
        solver_root(distro, distro.repositories, mirrors, tmp_path),
    ):
        pass
    assert [path.name for path in (tmp_path / "roots").iterdir()] == [".debian-13-amd64.lock"]
