"""Services in real containers, configured and started as a deployment does it.

What each is configured with, and how it must answer, is the service test of its catalogue entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.conftest import Workshop, a_copy
from tests.whole.containers import Deployment, mounted
from tests.whole.engines import Engine

from lamina.catalog import load_catalog
from lamina.model.image import ServiceTest

pytestmark = pytest.mark.real

CATALOG = Path(__file__).parents[2] / "catalog"
SWITCH = ("openvswitch-db-server", "openvswitch-vswitchd")
# What most deployments have, of every sort, and where its volumes are mounted, by name.
SERVICES: Mapping[str, Mapping[str, str]] = {
    "mariadb-server": {"proof_mariadb": "/var/lib/mysql"},
    "rabbitmq": {"proof_rabbitmq": "/var/lib/rabbitmq"},
    "prometheus-server": {},
    "etcd": {},
    "haproxy": {"proof_haproxy": "/var/lib/kolla/haproxy"},
    **{image: {"proof_openvswitch": "/run/openvswitch"} for image in SWITCH},
    "memcached": {},
    "redis": {},
}


@pytest.fixture(scope="module")
def tests() -> dict[str, ServiceTest]:
    catalog = load_catalog([CATALOG], "debian-13", architecture="amd64")
    return {
        image.id.name: test
        for image in catalog.images
        for test in image.tests
        if isinstance(test, ServiceTest)
    }


@pytest.fixture(scope="module")
def deployed(built: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A workshop with all services built in it."""
    with a_copy(built, tmp_path_factory.mktemp("deployed") / "workshop") as workshop:
        workshop.lamina("build", *SERVICES, "--no-test")
        yield workshop


@pytest.fixture(scope="module")
def site(
    engine: Engine,
    deployed: Workshop,
    tests: dict[str, ServiceTest],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Deployment]]:
    """All services in one engine, started at once: most of their time they wait."""
    folder = tmp_path_factory.mktemp("site")
    services = {
        image: Deployment(
            engine=engine,
            name=f"proof-{image}",
            reference=f"localhost/{image}:proof",
            test=tests[image],
            config=mounted(folder / image, tests[image]),
            volumes=volumes,
        )
        for image, volumes in SERVICES.items()
    }

    def deploy(image: str) -> None:
        service = services[image]
        destination = f"{engine.transport}{service.reference}"
        deployed.lamina("export", image, "--to", destination, environment=engine.environment)
        if service.test.bootstrap:
            service.bootstrap()
        service.start()

    try:
        deploy("redis")  # the first one brings what the others share
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(deploy, [image for image in SERVICES if image != "redis"]))
        yield services
    finally:
        for service in services.values():
            service.remove()


def stopped(service: Deployment) -> None:
    """Stop a service; neither it nor what it has started may go on."""
    process = Path("/proc", str(service.state["Pid"]))
    assert process.exists()
    service.stop()
    assert not process.exists()


@pytest.mark.parametrize("image", [image for image in SERVICES if image not in SWITCH])
def test_a_service_answers_in_a_real_container_and_stops_in_time(
    image: str, site: dict[str, Deployment]
) -> None:
    service = site[image]
    if service.test.prepare:
        prepared = service.execute(*service.test.prepare, user="root")
        assert prepared.returncode == 0, prepared

    service.wait_until_healthy()
    service.ask()
    stopped(service)


def test_a_switch_and_its_database_are_two_containers(site: dict[str, Deployment]) -> None:
    database, switch = (site[image] for image in SWITCH)
    database.wait_until_healthy()
    assert database.ask() == "proof\n", "the switch that the other container is to make"

    switch.wait_until_healthy()
    switch.ask()
    stopped(switch)
    stopped(database)


def test_nothing_is_left_of_services_that_are_removed(
    engine: Engine, site: dict[str, Deployment]
) -> None:
    for service in site.values():
        service.remove()

    assert engine.call("ps", "--all", "--quiet") == ""
    assert engine.call("volume", "ls", "--quiet") == ""
