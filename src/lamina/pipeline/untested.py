"""Which images have not passed the tests that they have now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lamina.build.proof import tests_digest
from lamina.model.built import Built
from lamina.model.catalog import Catalog
from lamina.model.image import ImageId
from lamina.model.plan import Plan

_REASON = "not tested as the catalogue says now"


def untested(
    catalog: Catalog, images: Mapping[ImageId, Built], among: Iterable[ImageId]
) -> tuple[ImageId, ...]:
    """Return those of `among`, which are all in `images`, whose tests have to be run."""
    by_id = catalog.by_id()
    return tuple(
        image
        for image in among
        if by_id[image].tests
        and images[image].tested != tests_digest(by_id[image], images[image].manifest)
    )


def with_tests(plan: Plan, catalog: Catalog, images: Mapping[ImageId, Built]) -> Plan:
    """Return a plan with those of its images marked that a build would only test.

    `images` are those that the store or a cache has.
    """
    there = (*plan.with_action("keep"), *plan.with_action("pull"))
    lacking = frozenset(untested(catalog, images, there))
    return Plan(
        steps=tuple(
            replace(step, action="test", reasons=(_REASON,)) if step.image in lacking else step
            for step in plan.steps
        )
    )
