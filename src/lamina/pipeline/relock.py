"""The lock file: brought up to the catalogue, and read by what builds from it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lamina.backends import BACKENDS
from lamina.errors import Fault, LockError, UsageError
from lamina.lock import (
    LockChange,
    Source,
    check_lock,
    compare_locks,
    lock_fleet,
    new_sights,
    read_lock,
    write_lock,
)
from lamina.model.catalog import Catalog, Distro
from lamina.model.event import Listener
from lamina.model.image import ImageId
from lamina.model.lock import Lock, UnitRef
from lamina.settings import Settings
from lamina.store.store import Store

_DIFFERENCES = 10  # between lock and catalogue that are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocked:
    """A lock that was brought up to the catalogue, and what moved; None for a first lock."""

    lock: Lock
    change: LockChange | None
    written: bool
    sighted: tuple[UnitRef, ...]  # artifacts that are now pinned on first sight, and were not


def lock(
    settings: Settings, catalog: Catalog, *, update: Collection[ImageId], listener: Listener
) -> Relocked:
    """Bring the lock file up to the catalogue, with newer packages for the images in `update`.

    Raises `UsageError` for a distribution whose packages lamina cannot install.
    """
    require_backend(catalog.distro)
    before = read_lock(settings.lock) if settings.lock.exists() else None
    after = lock_fleet(
        catalog,
        before,
        update=update,
        source=Source(store=Store.open(settings.store).root, mirrors=settings.mirrors),
        listener=listener,
        layer_budget=settings.layer_budget,
    )
    if after != before:
        write_lock(after, settings.lock)
    change = compare_locks(before, after) if before else None
    return Relocked(
        lock=after, change=change, written=after != before, sighted=new_sights(before, after)
    )


def locked(settings: Settings, catalog: Catalog) -> Lock:
    """Return the lock; raise `LockError` when there is none, or it does not fit the catalogue.

    Raises `UsageError` for a distribution whose packages lamina cannot install.
    """
    require_backend(catalog.distro)
    found = read_lock(settings.lock)
    differences = check_lock(catalog, found, layer_budget=settings.layer_budget)
    if not differences:
        return found
    told = list(differences[:_DIFFERENCES])
    if rest := len(differences) - len(told):
        told.append(f"and {rest} more")
    message = "\n  ".join(["the lock does not fit the catalogue", *told])
    raise LockError(Fault(str(settings.lock), message, "bring it up to date with `lamina lock`"))


def require_backend(distro: Distro) -> None:
    """Raise `UsageError` for a distribution whose packages lamina cannot install."""
    if distro.backend not in BACKENDS:
        raise UsageError.one(
            f"the {distro.backend} backend does not exist yet; its images can only be listed",
            place=distro.name,
            remedy="choose a distribution of deb packages by --distro, such as debian-13",
        )
