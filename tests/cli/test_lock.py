"""`lamina lock` and the number of layers that an image may have."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Lamina, values
from tests.cli.zoo import write_zoo_lock

from lamina.lock import read_lock


def test_a_layer_budget_that_is_given_must_be_the_locks(lamina: Lamina, zoo: Path) -> None:
    write_zoo_lock(zoo)

    assert lamina("lock", "--check", "--layer-budget", "60").code == 0

    for ran in (
        lamina("lock", "--check", "--layer-budget", "40"),
        lamina("lock", "--check", LAMINA_LAYER_BUDGET="40"),
    ):
        assert (ran.code, "layer budget changed 60 -> 40" in ran.err) == (2, True)


def test_a_new_layer_budget_is_written_into_the_lock_and_stays(lamina: Lamina, zoo: Path) -> None:
    lock = write_zoo_lock(zoo)

    ran = lamina("lock", "--layer-budget", "40")

    assert ran.out == (
        "layer budget 60 -> 40\n"
        f"{zoo}/lamina.lock.json: written, {len(lock.images)} images, 1 packages in 1 layers\n"
    )
    assert lamina("lock").code == 0
    assert read_lock(zoo / "lamina.lock.json").layer_budget == 40
    assert values(lamina("lock", "--check", "--json"))["layer_budget"] == 40


def test_a_layer_budget_that_an_image_cannot_meet_changes_nothing(
    lamina: Lamina, zoo: Path
) -> None:
    write_zoo_lock(zoo)
    before = (zoo / "lamina.lock.json").read_text()

    ran = lamina("lock", "--layer-budget", "3")

    assert (ran.code, ran.out) == (2, "")
    assert (
        "zebra-server: with its ancestors it needs 4 layers, and the layer budget is 3\n"
        "  raise the layer budget, or give the image a parent that is nearer to the root\n"
    ) in ran.err
    assert (zoo / "lamina.lock.json").read_text() == before
