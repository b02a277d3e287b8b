"""The built small fleet in a real registry: every byte once, every name right, whatever happens."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import Workshop
from tests.registry.guarded import Guarded, guarded_registry, write_auth
from tests.registry.proxy import Fault, Proxy, at_random, running_proxy
from tests.whole.engines import Engine
from tests.whole.registry import Registry

pytestmark = pytest.mark.real

ALL_NAMES = "split,legacy,short"
TAG = "2026.1"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A namespace in the registry, behind the proxy, and lamina to publish there."""

    workshop: Workshop
    guarded: Guarded
    proxy: Proxy
    namespace: str

    @property
    def registry(self) -> Registry:
        return self.guarded.registry

    @property
    def words(self) -> tuple[str, ...]:
        place = f"{self.proxy.address}/{self.namespace}"
        return ("publish", "--to", place, "--tag", TAG, "--ca", str(self.guarded.certificate))

    @property
    def environment(self) -> Mapping[str, str]:
        return {"REGISTRY_AUTH_FILE": str(self.guarded.auth_file)}

    def publish(self, *words: str, names: str = "split", code: int = 0) -> Any:
        """Publish and return what is told as JSON."""
        told = self.workshop.lamina(
            *(*self.words, "--names", names, "--json", *words),
            environment=self.environment,
            code=code,
        )
        return json.loads(told.stdout)

    def tags(self) -> Mapping[str, str]:
        """Return what the tags of the namespace mean."""
        within = f"{self.namespace}/"
        return {
            name.removeprefix(within): digest
            for name, digest in self.registry.tags().items()
            if name.startswith(within)
        }

    def wanted(self) -> Mapping[str, str]:
        """Return what every name by three schemes should mean, told another way than lamina's."""
        wanted = {}
        for image in json.loads(self.workshop.lamina("list", "--json").stdout):
            built = image.get("manifest", {})
            if isinstance(built, str):
                for called in (image["name"], *image["aliases"]):
                    for type_ in ("binary", "source"):
                        wanted[f"debian-{type_}-{called}:{TAG}"] = built
                wanted[f"debian-{image['name']}:{TAG}"] = built
                wanted[f"{image['name']}:{TAG}-debian-13"] = built
            else:
                for type_, digest in built.items():
                    wanted[f"debian-{type_}-{image['name']}:{TAG}"] = digest
                    wanted[f"{image['name']}:{TAG}-debian-13"] = digest
        return wanted

    def assert_published(self) -> None:
        """Every name means its image, and so does a tag beside it that never moves."""
        wanted, tags = self.wanted(), self.tags()
        assert {name: tags.get(name) for name in wanted} == wanted
        contents = {
            f"{name.partition(':')[0]}:content-{digest.removeprefix('sha256:')[:16]}": digest
            for name, digest in wanted.items()
        }
        assert tags == {**wanted, **contents}
        assert self.registry.unresolved() == []


def blobs_of(workshop: Workshop) -> Mapping[str, int]:
    """Return the sizes of all configurations and layers of the fleet's images, by digest."""
    blobs = workshop.store / "oci/blobs/sha256"
    index = json.loads((workshop.store / "oci/index.json").read_text())
    found: dict[str, int] = {}
    for entry in index["manifests"]:
        manifest = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_text())
        found |= {one["digest"]: one["size"] for one in (manifest["config"], *manifest["layers"])}
    return found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded_registry(tmp_path_factory.mktemp("registry")) as there:
        yield there


@pytest.fixture
def place(built: Workshop, guarded: Guarded, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace of the test's own: what repositories have, they have each on their own."""
    number = len(list((guarded.registry.folder / "data").glob("docker/registry/v2/repositories/*")))
    with running_proxy(guarded) as proxy:
        yield Place(workshop=built, guarded=guarded, proxy=proxy, namespace=f"fleet{number}/cloud")


def test_three_schemes_cost_the_fleets_bytes_once_and_again_nothing(
    built: Workshop, tmp_path: Path
) -> None:
    unique = sum(blobs_of(built).values())
    with guarded_registry(tmp_path / "alone") as guarded, running_proxy(guarded) as proxy:
        place = Place(workshop=built, guarded=guarded, proxy=proxy, namespace="cloud")
        foretold = place.publish("--dry-run", names=ALL_NAMES)
        assert place.tags() == {}
        assert proxy.received == foretold["sent"]["blob_bytes"] == 0
        assert foretold["plan"]["blob_bytes"] == unique

        first = place.publish(names=ALL_NAMES)

        place.assert_published()
        assert first["sent"]["blob_bytes"] == proxy.received == unique
        assert first["plan"] == foretold["plan"]
        # The registry has each of them, and the manifests besides.
        report = json.loads(built.lamina("storage", "--json").stdout)
        assert sum(place.registry.blobs().values()) == report["fleet"]["registry"]
        assert first["sent"]["requests"] - first["sent"]["asked"] == first["plan"]["requests"]
        assert all(image["changed"] for image in first["images"])

        proxy.requests.clear()
        second = place.publish(names=ALL_NAMES)

        assert proxy.received == unique
        assert second["sent"]["blob_bytes"] == second["sent"]["manifest_bytes"] == 0
        assert {method for method, _ in proxy.requests} == {"HEAD"}
        assert second["sent"]["requests"] == len(proxy.requests)
        assert not any(image["changed"] for image in second["images"])


def test_more_names_and_more_images_send_only_what_is_new(place: Place) -> None:
    unique = sum(blobs_of(place.workshop).values())

    sent = [
        told["sent"]["blob_bytes"]
        for told in (
            place.publish("cron"),
            place.publish("redis"),  # the registry has what it shares with another image
            place.publish(),
            place.publish(names=ALL_NAMES),
        )
    ]

    assert all(sent[:3])
    assert sum(sent) == unique
    assert sent[3] == 0
    assert place.proxy.received == unique
    place.assert_published()


def test_a_registry_that_fails_at_random_ends_in_a_complete_publish(place: Place) -> None:
    place.proxy.fault = at_random(7, 0.1, "refuse", "hang up", "cut off", "lose", "limit")
    place.proxy.retry_after = 0

    told = place.publish(names=ALL_NAMES)

    place.assert_published()
    assert told["sent"]["repeated"] > 10
    assert told["sent"]["blob_bytes"] >= place.proxy.received >= told["plan"]["blob_bytes"]


def test_a_registry_that_does_not_mount_gets_the_blobs_again(place: Place) -> None:
    place.proxy.fault = lambda _, path: "no mount" if "mount=" in path else None

    told = place.publish("memcached", "cron", "chrony")

    assert place.registry.unresolved() == []
    assert len(place.tags()) == 6
    sizes = blobs_of(place.workshop)
    repositories = place.registry.folder / "data/docker/registry/v2/repositories"
    linked = (repositories / place.namespace).glob("*/_layers/sha256/*/link")
    assert told["sent"]["blob_bytes"] == sum(sizes[link.read_text()] for link in linked)
    assert told["sent"]["blob_bytes"] > told["plan"]["blob_bytes"]


MOMENTS: Mapping[str, tuple[str, str, int, Fault]] = {
    "a blob begun": ("POST", "/blobs/uploads/", 3, "lose"),
    "a blob half sent": ("PUT", "/blobs/uploads/", 3, "cut off"),
    "a mount": ("POST", "mount=", 20, "lose"),
    "a manifest": ("PUT", "/manifests/content-", 3, "lose"),
    "a tag": ("PUT", f"/manifests/{TAG}", 2, "lose"),
    "a tag not heard of": ("PUT", f"/manifests/{TAG}", 2, "hang up"),
}


def test_a_kill_at_any_moment_leaves_no_tag_that_does_not_resolve(place: Place) -> None:
    for moment, (method, part, number, fault) in MOMENTS.items():
        process = place.workshop.start(
            *(*place.words, "cron", "chrony", "memcached", "--names", ALL_NAMES),
            environment=place.environment,
        )
        killed: list[str] = []

        def kill(
            asked: str,
            path: str,
            *,
            wanted: tuple[str, str, int, Fault] = (method, part, number, fault),
            end: Callable[[], None] = process.kill,
            killed: list[str] = killed,
            moment: str = moment,
            seen: list[str] = [],  # noqa: B006 - as long as the function lives
        ) -> Fault | None:
            if asked == wanted[0] and wanted[1] in path:
                seen.append(path)
                if len(seen) == wanted[2]:
                    end()
                    killed.append(moment)
                    return wanted[3]
            return None

        place.proxy.fault = kill
        process.communicate()
        assert killed == [moment]
        assert process.returncode == -signal.SIGKILL
        time.sleep(0.2)  # what it had sent is still being taken in
        assert place.registry.unresolved() == []
        if "tag" not in moment:
            assert not any(f":{TAG}" in name for name in place.tags())
    place.proxy.fault = lambda _method, _path: None
    told = place.publish("cron", "chrony", "memcached", names=ALL_NAMES)

    wanted = {name: digest for name, digest in place.wanted().items() if name in place.tags()}
    assert len(wanted) == 12
    assert wanted.items() <= place.tags().items()
    assert len(place.tags()) == 2 * len(wanted)
    assert place.registry.unresolved() == []
    assert told["sent"]["blob_bytes"] == 0


def test_an_interrupt_ends_it_at_once(place: Place) -> None:
    place.proxy.fault = lambda method, path: "hang" if method == "PUT" else None
    process = place.workshop.start(*place.words, "cron", environment=place.environment)
    while not place.proxy.count("PUT", "/blobs/"):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)

    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, messages = process.communicate()

    assert process.returncode == 130, messages
    assert time.monotonic() - began < 5
    assert place.tags() == {}


def test_engines_pull_one_digest_by_old_names_and_by_new_ones(
    place: Place, engine: Engine, tmp_path: Path
) -> None:
    told = place.publish("redis", names="split,legacy")
    (manifest,) = {image["manifest"] for image in told["images"]}
    config = tmp_path / "docker"
    config.mkdir()
    (config / "config.json").write_bytes(place.guarded.auth_file.read_bytes())
    options: tuple[str, ...] = ()
    program = engine.program
    if program == ("docker",):  # to which the loopback needs no certificate
        program = ("docker", "--config", str(config))
    else:
        (tmp_path / "ca.crt").write_bytes(place.guarded.certificate.read_bytes())
        options = ("--authfile", str(place.guarded.auth_file), "--cert-dir", str(tmp_path))
    registered = Engine(program=program, transport=engine.transport, environment=engine.environment)
    names = told["images"][0]["names"]
    assert len(names) == 3
    for name in names:
        registered.call("pull", "--quiet", *options, name)
        repository = name.rpartition(":")[0]
        assert f"{repository}@{manifest}" in engine.inspect(name)["RepoDigests"]
    assert len({engine.inspect(name)["Id"] for name in names}) == 1
    assert engine.run(names[1], "redis-server", "--version").startswith("Redis server v=")


def test_the_file_of_digests_pins_every_name(place: Place, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json", "c.yaml")]
    for file in files:
        place.publish("cron", "memcached", "--digests", str(file), names=ALL_NAMES)
    first, second, third = (file.read_text() for file in files)

    pinned = json.loads(first)

    assert first == second
    assert yaml.safe_load(third) == pinned
    assert list(yaml.safe_load(third)) == list(pinned) == sorted(pinned)
    here = f"{place.proxy.address}/{place.namespace}/"
    names = {name: digest for name, digest in place.tags().items() if "content-" not in name}
    assert pinned == {
        f"{here}{name}": f"{here}{name.partition(':')[0]}@{digest}"
        for name, digest in names.items()
    }
    assert sorted(tmp_path.iterdir()) == files


def test_a_failure_moves_no_tag_and_writes_no_file(place: Place, tmp_path: Path) -> None:
    place.proxy.fault = lambda method, path: "limit" if "content-" in path else None
    place.proxy.retry_after = 1000

    told = place.publish("cron", "--digests", str(tmp_path / "digests.json"), code=4)

    assert told["error"]["faults"][0]["place"].startswith(place.proxy.address)
    assert place.tags() == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("no-such-image",), 2, "no-such-image"),
        (("mariadb-server",), 2, "not built"),
        (("cron", "--names", "splitt"), 2, "did you mean 'split'"),
        (("cron", "--digests", "digests.txt"), 2, ".json"),
        (("cron", "--digests", "none/digests.json"), 2, "no such folder"),
        (("cron", "--tag", "not a tag"), 2, "is not a tag"),
        (("cron", "--to", "cloud/images"), 2, "no registry"),
    ],
)
def test_what_cannot_be_published_is_told_before_the_registry_is_asked(
    place: Place, words: tuple[str, ...], code: int, part: str
) -> None:
    told = place.workshop.lamina(*place.words, *words, environment=place.environment, code=code)
    assert part in told.stderr
    assert place.proxy.requests == []


def test_a_password_that_is_refused_is_told_by_its_file_and_not_shown(
    place: Place, tmp_path: Path
) -> None:
    file = tmp_path / "auth.json"
    write_auth(file, place.proxy.address, password="other sesame")
    told = place.workshop.lamina(
        *place.words, "cron", environment={"REGISTRY_AUTH_FILE": str(file)}, code=4
    )
    assert str(file) in told.stderr
    assert "sesame" not in told.stderr
