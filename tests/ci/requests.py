"""Requests for pipelines over a small fleet, and what is kept as their golden files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lamina.ci import Request, System, make_files
from lamina.ci.cadence import Schedule
from lamina.ci.grouping import Groups
from lamina.model.image import ImageId, Kind, Type
from lamina.model.reference import Namespace

CASES = Path(__file__).parents[1] / "cases" / "ci"

ONE = Groups(trunk=(ImageId("base"), ImageId("cron")))
THREE = Groups(
    trunk=(ImageId("base"), ImageId("zebra-base")),
    branches=(
        (ImageId("cron"), ImageId("zebra-server")),
        (ImageId("yak-api", Type.BINARY), ImageId("yak-api", Type.SOURCE)),
    ),
)


def a_request(**changed: Any) -> Request:
    """Return a request for the simplest pipeline, or one that is changed in something."""
    values: dict[str, Any] = {
        "groups": ONE,
        "count": 1,
        "schedule": Schedule.WEEKLY,
        "distro": "debian-13",
        "registry": Namespace.parse("registry.example.org/fleet"),
        "names": "split",
        "requirement": "lamina==0.1.0",
        "lock": "lamina.lock.json",
    }
    return Request(**{**values, **changed})


PLAIN = a_request()
LARGE = a_request(
    groups=THREE,
    count=3,
    schedule=Schedule.DAILY,
    registry=Namespace.parse("registry.example.org:5000/fleet"),
    cache=Namespace.parse("registry.example.org:5000/cache"),
    names="split,legacy",
    requirement="lamina @ https://example.org/lamina-0.1.0.tar.gz",
    runner="builders",
    catalogs=("mine", "our/own"),
    lock="locks/trixie.lock.json",
    kind=Kind.INFRA,
    terms=("zebra-base+", "kind:openstack", "cron*"),
)
GOLDEN: Mapping[str, tuple[System, Request]] = MappingProxyType(
    {
        f"{system}-{name}": (system, request)
        for system in System
        for name, request in (("plain", PLAIN), ("large", LARGE))
    }
)


def write_golden() -> None:
    """Write the golden files anew, for `git diff` to judge: `python -m tests.ci.requests`."""
    for name, (system, request) in GOLDEN.items():
        for path, text in make_files(system, request).items():
            # A tool that looks for pipelines must not take these for the repository's own.
            file = CASES / name / path.replace("/", "_").lstrip("._")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


if __name__ == "__main__":
    write_golden()
