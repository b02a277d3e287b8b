"""What must be built and why, decided from values alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from lamina.errors import BuildError, Fault, LockError
from lamina.model.built import ENGINE, Built, Inputs
from lamina.model.catalog import Catalog, Distro
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import FileCopy, Image, ImageId
from lamina.model.lock import Lock, LockedImage, spoken_key, spoken_name
from lamina.model.names import parse_names
from lamina.model.plan import Plan, PlanStep
from lamina.model.selection import is_name, with_ancestors
from lamina.oci.layer import CODEC


def make_plan(
    catalog: Catalog,
    lock: Lock,
    current: Mapping[ImageId, Built],
    selection: Sequence[ImageId],
) -> Plan:
    """Return what to do with each selected image and its ancestors, and every reason for it.

    `current` is what the store has. An image is kept when its key comes out the same over its
    parent's present manifest. One whose parent is built first is planned as a build; the build
    keeps it after all if the parent comes out the same. Raises `LockError` when a buildable
    image is not in the lock.
    """
    locked = lock.by_id()
    wanted = frozenset(with_ancestors(catalog, selection))
    blocked = obstacles(catalog, lock)
    steps: dict[ImageId, PlanStep] = {}
    faults: list[Fault] = []
    for image in catalog.images:
        if image.id not in wanted:
            continue
        if reason := blocked.get(image.id):
            steps[image.id] = PlanStep(image=image.id, action="blocked", reasons=(reason,))
        elif image.id in locked:
            parent = current.get(image.parent) if image.parent else None
            inputs = inputs_of(
                image,
                locked[image.id],
                distro=catalog.distro,
                lock=lock,
                parent=parent.manifest if parent else None,
            )
            steps[image.id] = _step(image, inputs, current.get(image.id), steps)
        else:
            faults.append(Fault(image.place, f"image {image.id} is not in the lock", _LOCK_AGAIN))
    LockError.raise_all(faults)
    return Plan(steps=tuple(steps.values()))


def with_pulls(plan: Plan, places: Mapping[ImageId, str]) -> Plan:
    """Return a plan with those of its images marked that come from caches; `places` names these."""
    return Plan(
        steps=tuple(
            replace(step, action="pull", reasons=(f"in the cache {places[step.image]}",))
            if step.image in places
            else step
            for step in plan.steps
        )
    )


def obstacles(catalog: Catalog, lock: Lock | None = None) -> Mapping[ImageId, str]:
    """Return why images cannot be built: themselves, or their ancestors.

    Without a lock, only what this distribution cannot have is told.
    """
    lacking = unpinned(lock) if lock else {}
    found: dict[ImageId, str] = {}
    for image in catalog.images:
        if image.unbuildable:
            found[image.id] = image.unbuildable
        elif image.id in lacking:
            found[image.id] = lacking[image.id]
        elif image.parent in found:
            found[image.id] = f"{image.parent} is blocked"
    return found


def unpinned(lock: Lock) -> Mapping[ImageId, str]:
    """Return of which images the lock does not have all artifacts, as a reason."""
    return {
        image.id: f"the lock has no digest of {', '.join(map(spoken_key, image.unpinned))}: "
        "run `lamina lock` where the place can be reached"
        for image in lock.images
        if image.unpinned
    }


def refuse_unbuildable(catalog: Catalog, terms: Sequence[str]) -> None:
    """Raise `BuildError` for the images named outright in a selection that cannot be built.

    One that a glob or a field selects is only left out, and so is one of the types of an image.
    """
    why_not = obstacles(catalog)
    named = [parse_names(term, catalog) for term in terms if is_name(term)]
    BuildError.raise_all(
        [
            Fault(
                str(image),
                f"cannot be built for {catalog.distro.name}: {why_not[image]}",
                "leave it out; `lamina list --unbuildable` shows all such images",
            )
            for images in named
            if why_not.keys() >= set(images)
            for image in images
        ]
    )


def inputs_of(
    image: Image,
    locked: LockedImage,
    *,
    distro: Distro,
    lock: Lock,
    parent: Digest | None,
) -> Inputs:
    """Return everything that the image's content depends on.

    `locked` is the image's entry in `lock`; `parent` is its parent's manifest.
    """
    units = lock.units_of(locked)
    calls = [(call.action, _names(call.units, lock)) for call in locked.calls]
    return Inputs(
        engine=ENGINE,
        codec=CODEC,
        parent=parent,
        # Names without versions: an update alone is no change of order.
        calls=Digest.of(canonical_json([_names(locked.bootstrap, lock), calls])),
        layers=Digest.of(canonical_json([lock.layers[id_] for id_ in locked.layers])),
        units={lock.name_of(unit): f"{unit.version} {unit.identity}" for unit in units},
        files={copy.path: _content(copy) for copy in image.files},
        entry=_entry(image, distro),
    )


_LOCK_AGAIN = "run `lamina lock`"


def _step(
    image: Image, inputs: Inputs, built: Built | None, steps: Mapping[ImageId, PlanStep]
) -> PlanStep:
    if built is None:
        return PlanStep(image=image.id, action="build", reasons=("new",))
    reasons: list[str] = []
    if built.key != inputs.key():
        # How the key is computed belongs to the engine: no part may differ, and yet the key.
        reasons.extend(_differences(built.inputs, inputs) or ["engine changed"])
    if image.parent and steps[image.parent].action == "build":
        reasons.append(f"parent {image.parent} is built first")
    if reasons:
        return PlanStep(image=image.id, action="build", reasons=tuple(reasons))
    return PlanStep(image=image.id, action="keep", reasons=("unchanged",))


def _differences(old: Inputs, new: Inputs) -> list[str]:
    """Return a sentence for each part that differs."""
    reasons = []
    if old.engine != new.engine:
        reasons.append("engine changed")
    if old.codec != new.codec:
        reasons.append("compression changed")
    if old.parent != new.parent:
        reasons.append("parent changed")
    reasons.extend(_package_differences(old.units, new.units))
    if old.calls != new.calls and old.units.keys() == new.units.keys():
        reasons.append("install order changed")
    if old.layers != new.layers and old.units.keys() == new.units.keys():
        reasons.append("layering changed")
    reasons.extend(f"file {path} changed" for path in _changed(old.files, new.files))
    if old.entry != new.entry:
        reasons.append("catalogue entry changed")
    return reasons


def _package_differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in _changed(old, new):
        what = spoken_name(name)
        if name not in old:
            yield f"{what} added"
        elif name not in new:
            yield f"{what} removed"
        else:
            before, after = old[name].split()[0], new[name].split()[0]
            if before == after:
                yield f"{what} {after} has other content"
            else:
                yield f"{what} {before} -> {after}"


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the names that are not the same on both sides, sorted."""
    return sorted({name for name, _ in old.items() ^ new.items()})


def _names(keys: Sequence[str], lock: Lock) -> list[str]:
    return [lock.name_of(lock.units[key]) for key in keys]


def _content(copy: FileCopy) -> str:
    return f"{copy.digest} {copy.mode:04o} {copy.owner}:{copy.group}"


def _entry(image: Image, distro: Distro) -> Digest:
    """Return the digest of what the catalogue says beside packages and files."""
    return Digest.of(
        canonical_json(
            {
                "image": str(image.id),  # the manifest has it as its title
                "users": [asdict(user) for user in image.users],
                "groups": [asdict(group) for group in image.groups],
                "steps": image.steps,
                "remove": image.remove,
                # Not why: a better explanation changes no image.
                "rules": [(rule.glob, rule.action) for rule in distro.rules],
                "runtime": asdict(image.runtime),
            }
        )
    )
