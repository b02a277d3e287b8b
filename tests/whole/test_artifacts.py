"""Images fed by artifacts: locked, built, run, shared and reported, with places that fail."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.artifacts.releases import (
    exporter,
    grafana,
    kafka,
    lego,
    packed,
    program,
    prometheus,
)
from tests.backends.packages import file
from tests.conftest import Workshop
from tests.fetch.mirror import Mirror, running_mirror, status, whole
from tests.whole.conftest import Fleet

from lamina.lock import read_lock
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.store.store import Store

pytestmark = pytest.mark.real

DISTRO = "debian-13"
RELEASES = {
    "/prometheus/v3.5.4/prometheus-3.5.4.linux-amd64.tar.gz": packed(prometheus(), ".tar.gz"),
    "/cadvisor/v0.56.2/cadvisor-v0.56.2-linux-amd64": b"#!/bin/sh\necho cadvisor 0.56.2\n",
    "/kafka/4.0.0/kafka_2.13-4.0.0.tgz": packed(kafka(), ".tar.gz"),
    "/grafana/grafana-12.3.0.linux-x86_64.tar.xz": packed(grafana(), ".tar.xz"),
    "/lego/lego_v4.27.0.zip": packed(lego(), ".zip"),
    "/exporter/exporter-0.15.5.tar.bz2": packed(exporter(), ".tar.bz2"),
}
PROMETHEUS, CADVISOR, KAFKA, GRAFANA, LEGO, EXPORTER = RELEASES


def entry(name: str, path: str, install: str, *, version: str = "1.0", sha256: str = "") -> str:
    """Return a catalogue's entry of an artifact, with the digest of what is served.

    The default catalogue may have another one of the name.
    """
    digest = f"sha256: {sha256 or Digest.of(RELEASES[path]).hex}, " if sha256 != "-" else ""
    return (
        f"      - {{name: own-{name}, version: '{version}', source: releases, path: '{path[1:]}', "
        f"{digest}install: [{install}]}}\n"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A fleet whose catalogue knows a place of releases."""

    fleet: Fleet
    mirror: Mirror

    def images(self, **artifacts: str) -> None:
        """Lay images over the catalogue: names, and what stands in their entries."""
        self.fleet.write(f"sources:\n  releases: {{url: '{self.mirror.url}'}}\n", to="sources.yaml")
        texts = (f"  {name.replace('_', '-')}:\n{text}" for name, text in artifacts.items())
        self.fleet.write("images:\n" + "".join(texts))

    def asked(self) -> list[str]:
        """Return what the place was asked for since the last look."""
        paths = [path for path, _ in self.mirror.requests]
        self.mirror.requests.clear()
        return paths

    def lose(self, path: str) -> None:
        """Take a download out of the store."""
        self.store.download_path(Digest.of(RELEASES[path])).unlink()

    def built(self) -> Mapping[str, Built]:
        images = self.store.read_current(DISTRO).images
        return {str(image): built for image, built in images.items()}

    @property
    def store(self) -> Store:
        return Store(self.fleet.workshop.store)


@pytest.fixture(scope="module")
def solved(copied: Workshop, built: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lock with the packages of all images of these tests, so that none waits for the solver."""
    folder = tmp_path_factory.mktemp("solved")
    (folder / "infra").mkdir()
    entries = (
        f"  {name}: {{parent: {parent}, packages: {packages}}}\n"
        for name, parent, packages in IMAGES
    )
    (folder / "infra/mine.yaml").write_text("images:\n" + "".join(entries))
    lock = shutil.copy(built.lock, folder / "lamina.lock.json")
    copied.lamina("lock", "--catalog", str(folder), "--lock", str(lock))
    return Path(lock)


@pytest.fixture
def place(fleet: Fleet, solved: Path) -> Iterator[Place]:
    shutil.copy(solved, fleet.workshop.lock)
    with running_mirror() as mirror:
        for path, content in RELEASES.items():
            mirror.answers[path] = lambda h, _, content=content: whole(h, content)  # type: ignore[misc]
        yield Place(fleet=fleet, mirror=mirror)


IMAGES = (
    *((name, "base", "[]") for name in ("tool", "other", "lower", "metrics", "queue", "panels")),
    *(("bzipped", "base", "[]"), ("certificates", "metrics", "[]"), ("child", "tool", "[]")),
    *(("both", "base", "[cron]"), ("upper", "lower", "[cron]")),
)


def below(parent: str, *artifacts: str, more: str = "") -> str:
    return f"    parent: {parent}\n{more}    artifacts:\n{''.join(artifacts)}"


TOOL = entry("cadvisor", CADVISOR, "{to: /opt/cadvisor}", version="0.56.2")
ALL = {
    "metrics": below(
        "base",
        TOOL,
        entry(
            "prometheus",
            PROMETHEUS,
            "{from: 'prometheus-*/prom*', to: /usr/bin/, owner: prometheus}",
        ),
        more="    user: prometheus\n    test: [{run: [prometheus], stdout: prometheus}]\n",
    ),
    "queue": below(
        "base",
        entry(
            "kafka",
            KAFKA,
            "{from: 'kafka_2.13-4.0.0/', to: /opt/kafka/, without: [site-docs], "
            "owner: kafka, group: kafka}",
        ),
        more="    user: kafka\n    run_as: kafka\n"
        "    test: [{run: [sh, -euc, 'id -un; /opt/kafka/bin/kafka-server-start.sh; "
        "test -r /opt/kafka/libs/kafka.jar; test -w /opt/kafka'], stdout: kafka}]\n",
    ),
    "panels": below(
        "base",
        entry("grafana", GRAFANA, "{from: grafana-12.3.0/, to: /usr/share/grafana/}"),
        TOOL,
        more="    test: [{run: [/usr/share/grafana/bin/grafana-server], stdout: grafana}]\n",
    ),
    "certificates": below("metrics", entry("lego", LEGO, "{from: lego, to: /usr/bin/lego}")),
    "bzipped": below(
        "base",
        entry(
            "exporter",
            EXPORTER,
            "{from: 'memcached_exporter-*/memcached_exporter', to: /usr/bin/e, mode: '0750'}",
        ),
    ),
}


def test_images_are_fed_by_every_form_of_release(place: Place) -> None:
    fleet = place.fleet
    place.images(**ALL)
    told = fleet.lamina("lock").stdout
    assert " artifacts in " in told
    assert "pinned on first sight" not in told
    assert place.asked() == []
    assert set(fleet.build(*ALL).values()) == {"built", "unchanged"}
    assert sorted(place.asked()) == sorted(RELEASES)
    assert set(fleet.build(*ALL).values()) == {"unchanged"}
    assert fleet.reasons(*ALL) == {}
    # A unit that two images have is one layer of both.
    built = place.built()
    shared = {
        name: [
            layer
            for layer in built[name].layers
            if "artifact:own-cadvisor_0.56.2_all" in layer.units
        ]
        for name in ("metrics", "panels", "certificates")
    }
    assert len({layer.digest for layers in shared.values() for layer in layers}) == 1
    assert all(len(layers) == 1 for layers in shared.values())
    # Nobody's package manager knows of it, and it has no delta of its own.
    seen = fleet.lamina(
        "run",
        "metrics",
        "--",
        "sh",
        "-c",
        "dpkg -S /opt/cadvisor 2>&1; /opt/cadvisor; stat -c '%U %a' /usr/bin/promtool",
    )
    assert "no path found matching pattern /opt/cadvisor" in seen.stdout
    assert seen.stdout.endswith("cadvisor 0.56.2\nprometheus 755\n")
    listed = fleet.json("storage", "metrics", "panels", "--by", "package")["packages"]
    (cadvisor,) = [one for one in listed if one["package"] == "artifact:own-cadvisor"]
    assert cadvisor["version"] == "0.56.2"
    assert cadvisor["images"] == 2
    shown = fleet.lamina("storage", "metrics", "panels", "--by", "delta").stdout
    assert "cadvisor" not in shown


def test_an_artifact_is_the_same_whenever_it_is_made(place: Place) -> None:
    place.images(panels=ALL["panels"])
    place.fleet.lamina("lock")
    place.fleet.build("panels")
    first = place.built()["panels"]
    for digest in first.trees.values():
        place.store.discard_unit(digest)
    for made_of, layer in place.store.layers.all():
        if layer and layer in first.layers[-first.own_layers :]:
            place.store.discard(place.store.layers.path(made_of))
    place.store.discard(place.store.records.path(first.key))
    place.store.discard_delta(first.manifest)
    assert place.fleet.build("panels")["panels"] == "built"
    assert place.built()["panels"].manifest == first.manifest


def test_a_place_out_of_reach_stops_nothing_else(place: Place, tmp_path: Path) -> None:
    fleet = place.fleet
    place.images(
        tool=below("base", TOOL),
        child="    parent: tool\n",
        other=below("base", entry("lego", LEGO, "{from: lego, to: /usr/bin/lego}")),
    )
    fleet.lamina("lock")
    place.mirror.answers[CADVISOR] = lambda h, _: status(h, 404)
    lost = Digest.of(RELEASES[CADVISOR])
    place.store.download_path(lost).unlink(missing_ok=True)
    place.store.discard_unit(
        read_lock(fleet.workshop.lock).units["artifact:own-cadvisor_0.56.2_all"].identity
    )
    told = fleet.json("build", "tool+", "other", code=4)
    outcomes = {image["image"]: image["outcome"] for image in told["images"]}
    assert outcomes["tool"] == "not fetched"
    assert outcomes["child"] == "blocked"
    assert outcomes["other"] in ("built", "unchanged")
    (message,) = [image["message"] for image in told["images"] if image["image"] == "tool"]
    assert message == (
        f"{place.mirror.url}{CADVISOR}: the mirror answered 404 Not Found\n"
        '  look for the artifact\'s version and path, or set [mirrors] releases = "..." in '
        f"lamina.toml to an address or folder that has {CADVISOR[1:]}"
    )
    # As the remedy says: a folder with the same paths, told by the environment.
    here = tmp_path / "releases" / CADVISOR[1:]
    here.parent.mkdir(parents=True)
    here.write_bytes(RELEASES[CADVISOR])
    place.asked()
    fleet.lamina(
        *("build", "tool+"), environment={"LAMINA_MIRROR_RELEASES": str(tmp_path / "releases")}
    )
    assert place.asked() == []
    assert {"tool", "child"} <= set(place.built())


def test_a_publisher_who_exchanges_a_release_is_found_out(place: Place) -> None:
    fleet = place.fleet
    # Where no other test has it: what the store knows is not built again.
    first = entry("cadvisor", CADVISOR, "{to: /opt/first}", version="0.56.2", sha256="-")
    place.images(tool=below("base", first))
    pinned = Digest.of(RELEASES[CADVISOR])
    told = fleet.lamina("lock").stdout
    assert f"pinned on first sight: artifact own-cadvisor 0.56.2 from releases: {pinned}\n" in told
    assert place.asked() == [CADVISOR]
    assert "pinned on first sight" not in fleet.lamina("lock").stdout
    assert fleet.json("lock")["first_sight"][0]["digest"] == str(pinned)
    # It was kept.
    place.mirror.answers[CADVISOR] = lambda h, _: whole(h, b"evil")
    assert fleet.build("tool")["tool"] == "built"
    assert place.asked() == []
    place.lose(CADVISOR)
    place.store.discard_unit(next(iter(place.built()["tool"].trees.values())))
    told = fleet.lamina("run", "tool", "--", "true", code=4).stderr
    assert (
        f"expected {pinned} ({len(RELEASES[CADVISOR])} bytes), found {Digest.of(b'evil')} (4 bytes)"
        in told
    )
    assert "it is not what the lock pinned on first sight, and is not used" in told
    assert "write its sha256 into the catalogue" in told
    # As the remedy says.
    second = first.replace("install:", f"sha256: {Digest.of(b'evil').hex}, install:")
    place.images(tool=below("base", second))
    told = fleet.lamina("build", "tool", code=2).stderr
    assert "tool: artifact own-cadvisor 0.56.2 changed" in told
    fleet.lamina("lock")
    fleet.lamina("build", "tool")
    # What the catalogue's own digest does not fit is no less refused.
    place.mirror.answers[CADVISOR] = lambda h, _: whole(h, b"more evil")
    place.store.download_path(Digest.of(b"evil")).unlink()
    place.store.discard_unit(next(iter(place.built()["tool"].trees.values())))
    told = fleet.lamina("run", "tool", "--", "true", code=4).stderr
    assert "it is not what the catalogue's sha256 says, and is not used" in told


def test_what_cannot_be_pinned_blocks_its_image_only(place: Place) -> None:
    fleet = place.fleet
    unseen = entry("cadvisor", CADVISOR, "{to: /opt/unseen}", version="0.56.2", sha256="-")
    place.images(
        tool=below("base", unseen),
        child="    parent: tool\n",
        other=below("base", entry("lego", LEGO, "{from: lego, to: /usr/bin/lego}")),
    )
    place.mirror.answers[CADVISOR] = lambda h, _: status(h, 403)
    told = fleet.lamina("lock").stderr
    assert f"{place.mirror.url}{CADVISOR}: artifact own-cadvisor 0.56.2 is not pinned" in told
    assert "set [mirrors] releases" in told
    why = (
        "the lock has no digest of artifact own-cadvisor 0.56.2: "
        "run `lamina lock` where the place can be reached"
    )
    reasons = fleet.reasons("tool+", "other")
    assert (reasons["tool"], reasons["child"]) == ([why], ["tool is blocked"])
    checked = fleet.lamina("lock", "--check").stderr
    assert "artifact own-cadvisor 0.56.2 is not pinned: tool" in checked
    outcomes = fleet.build("tool+", "other", code=4)
    assert (outcomes["tool"], outcomes["child"]) == ("not fetched", "blocked")
    assert outcomes["other"] in ("built", "unchanged")
    place.mirror.answers[CADVISOR] = lambda h, _: whole(h, RELEASES[CADVISOR])
    assert "pinned on first sight: artifact own-cadvisor" in fleet.lamina("lock").stdout
    fleet.lamina("lock", "--check")
    assert fleet.build("tool+")["child"] == "built"


@pytest.mark.parametrize(
    ("parent", "to", "fault"),
    [
        pytest.param(
            "base",
            "/usr/bin/dpkg",
            "usr/bin/dpkg is in a package of the image's parent",
            id="a package of an ancestor",
        ),
        pytest.param(
            "base", "/etc/passwd", "etc/passwd is in the image's parent", id="what it generated"
        ),
        pytest.param(
            "base", "/var/run/tool", "var/run is a link elsewhere", id="a link of an ancestor"
        ),
    ],
)
def test_an_artifact_does_not_cover_what_is_there(
    place: Place, parent: str, to: str, fault: str
) -> None:
    place.images(tool=below(parent, TOOL.replace("/opt/cadvisor", to)))
    place.fleet.lamina("lock")
    told = place.fleet.json("build", "tool", code=1)
    (message,) = [image["message"] for image in told["images"] if image["image"] == "tool"]
    assert message == (
        f"tool: artifact own-cadvisor 0.56.2: {fault}\n"
        "  install the artifact elsewhere, as in /usr/local/bin or /opt, or leave one out"
    )


def test_a_package_and_an_artifact_do_not_cover_each_other(place: Place) -> None:
    covered = TOOL.replace("/opt/cadvisor", "/usr/sbin/cron")
    place.images(
        both=below("base", covered, more="    packages: [cron]\n"),
        lower=below("base", covered),
        upper="    parent: lower\n    packages: [cron]\n",
    )
    place.fleet.lamina("lock")
    told = place.fleet.json("build", "both", "upper", code=1)
    messages = {image["image"]: image.get("message", "") for image in told["images"]}
    assert "usr/sbin/cron is in another of the image's packages" in messages["both"]
    assert "package cron " in messages["upper"]
    assert (
        "usr/sbin/cron is in the artifact own-cadvisor of the image's parent" in messages["upper"]
    )


def test_a_hostile_release_fails_its_image_and_nothing_else(place: Place) -> None:
    evil = packed([program("tool"), file("../../../../evil")], ".tar.gz")
    place.mirror.answers["/evil.tar.gz"] = lambda h, _: whole(h, evil)
    hostile = entry(
        "evil", "/evil.tar.gz", "{from: tool, to: /opt/tool}", sha256=Digest.of(evil).hex
    )
    place.images(tool=below("base", hostile), other=below("base", TOOL))
    place.fleet.lamina("lock")
    told = place.fleet.json("build", "tool", "other", code=1)
    messages = {image["image"]: image.get("message", "") for image in told["images"]}
    assert messages["tool"].startswith(
        "artifact own-evil 1.0: it is refused: '../../../../evil': a path leads out of the archive"
    )
    outcomes = {image["image"]: image["outcome"] for image in told["images"]}
    assert outcomes["tool"] == "failed"
    assert outcomes["other"] in ("built", "unchanged")
    assert list((place.store.root / "work").iterdir()) == []


def test_a_unit_that_was_changed_is_made_again(place: Place) -> None:
    place.images(tool=below("base", TOOL))
    place.fleet.lamina("lock")
    place.fleet.build("tool")
    built = place.built()["tool"]
    (unit,) = built.trees.values()
    program_file = place.store.unit_path(unit) / "tree/opt/cadvisor"
    program_file.write_bytes(b"#!/bin/sh\necho evil\n")
    told = place.fleet.lamina("run", "tool", "--", "/opt/cadvisor")
    assert told.stdout == "cadvisor 0.56.2\n"
    assert "artifact:own-cadvisor_0.56.2_all was changed in the store" in told.stderr
    place.lose(CADVISOR)
    program_file.write_bytes(b"#!/bin/sh\necho evil\n")
    place.asked()
    assert place.fleet.lamina("run", "tool", "--", "/opt/cadvisor").stdout == "cadvisor 0.56.2\n"
    assert place.asked() == [CADVISOR]


def test_artifacts_are_collected_once_neither_lock_nor_tag_needs_them(place: Place) -> None:
    fleet = place.fleet
    content = b"#!/bin/sh\necho nobody else has this\n"
    place.mirror.answers["/rare"] = lambda h, _: whole(h, content)
    rare = entry("rare", "/rare", "{to: /opt/rare}", sha256=Digest.of(content).hex)
    place.images(tool=below("base", rare))
    fleet.lamina("lock")
    fleet.build("tool")
    (unit,) = place.built()["tool"].trees.values()
    download = place.store.download_path(Digest.of(content))
    fleet.lamina("gc")
    assert download.exists()
    assert place.store.unit_is_intact(unit)
    place.images(tool="    parent: base\n")
    fleet.lamina("lock")
    fleet.build("tool")
    fleet.lamina("gc")
    assert not download.exists()
    assert not place.store.unit_path(unit).exists()


def test_a_change_of_what_goes_where_builds_the_image_again(place: Place) -> None:
    fleet = place.fleet
    place.images(tool=below("base", TOOL))
    fleet.lamina("lock")
    fleet.build("tool")
    place.asked()
    moved = TOOL.replace("/opt/cadvisor", "/usr/local/bin/cadvisor")
    place.images(tool=below("base", moved))
    assert "tool: artifact own-cadvisor 0.56.2 changed" in fleet.lamina("plan", code=2).stderr
    fleet.lamina("lock")
    assert fleet.reasons("tool") == {"tool": ["artifact own-cadvisor 0.56.2 has other content"]}
    assert fleet.build("tool")["tool"] == "built"
    assert place.asked() == []
    assert fleet.lamina("run", "tool", "--", "cadvisor").stdout == "cadvisor 0.56.2\n"
    shown = fleet.json("diff", "tool")
    assert [one["package"] for one in shown["packages"]] == ["artifact:own-cadvisor"]
