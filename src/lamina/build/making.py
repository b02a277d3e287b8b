"""Making units: files unpacked, their Python modules compiled, several in one go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from itertools import groupby
from pathlib import Path

from lamina.backends.deb.bytecode import compile_modules, find_interpreter, is_interpreter
from lamina.backends.kinds import BACKENDS
from lamina.engine.unit import FACTS, TREE, Interpreter, UnitFacts, Unpacking, read_facts
from lamina.errors import Fault, LaminaError, StoreError
from lamina.model.digest import Digest
from lamina.model.lock import Lock, UnitKind, UnitRef
from lamina.store.integrity import check_download
from lamina.store.store import Store

_BATCH = 40  # units whose modules are compiled in one sandbox, whose start they share


def unpackings(line: Sequence[Sequence[UnitRef]]) -> tuple[tuple[Unpacking, ...], ...]:
    """Return which units each image of a line needs; `line` has what they are made of.

    The oldest image comes first. Of the image that brings the interpreter, this compiles its own
    packages and no others, which may be configured before it is there. Modules of artifacts are
    not compiled: no package asks for that.
    """
    packages = [[ref for ref in own if ref.kind is UnitKind.PACKAGE] for own in line]
    found = [find_interpreter(packages[:number]) for number in range(len(line) + 1)]
    return tuple(
        tuple(
            Unpacking(ref=ref, interpreter=here if _is_compiled_by(ref, before) else None)
            for ref in own
        )
        for own, before, here in zip(line, found, found[1:], strict=False)
    )


def _is_compiled_by(ref: UnitRef, before: Interpreter | None) -> bool:
    """Tell whether an interpreter compiles modules of `ref`; `before` is the ancestors'."""
    return ref.kind is UnitKind.PACKAGE and (before is not None or is_interpreter(ref.name))


def locked_units(lock: Lock) -> frozenset[Digest]:
    """Return the digests of all files of a lock, and of the units that are made of them."""
    found = {unit.digest for unit in lock.units.values()}
    for image in lock.images:
        line = [lock.units_of(locked) for locked in lock.line_of(image)]
        found |= {digest for each in unpackings(line)[-1] for digest in each.digests}
    return frozenset(found)


def find_unit(store: Store, wanted: Unpacking) -> UnitFacts | None:
    """Return the facts of a unit that the store has as it was made; None without one.

    A package without foreseen Python modules is the same unit whatever would compile them. What
    another version of lamina made counts as not there.
    """
    for digest in wanted.digests:
        if not store.unit_is_intact(digest):
            continue
        try:
            facts = read_facts(store.unit_path(digest))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged_in_use(f"unit {wanted.ref.key}", store.unit_path(digest)) from error
        if facts and (digest == wanted.compiled or not facts.compilable):
            return facts
    return None


def batches(wanted: Sequence[Unpacking]) -> Iterator[tuple[Unpacking, ...]]:
    """Yield the units in order, those together that are made in one go.

    What an interpreter runs from comes before all that it compiles, one by one. Its own packages
    are among it, and then units of their own.
    """
    asked = {each.ref for each in wanted}
    ordered: dict[Unpacking, None] = {}
    interpreters: set[Interpreter] = set()
    for each in wanted:
        if each.interpreter and each.interpreter not in interpreters:
            interpreters.add(each.interpreter)
            before = [Unpacking(ref=ref) for ref in each.interpreter.units if ref in asked]
            ordered |= dict.fromkeys(before)
        ordered[each] = None
    for interpreter, group in groupby(ordered, key=lambda each: each.interpreter):
        units = tuple(group)
        size = _BATCH if interpreter else 1
        for start in range(0, len(units), size):
            yield units[start : start + size]


def make_units(store: Store, batch: Sequence[Unpacking]) -> Mapping[str, UnitFacts | LaminaError]:
    """Make units in the store, but for those that another process has made meanwhile.

    All have one interpreter; units that it runs from are made before if they are not there.
    Returns by key each unit's facts, or what is wrong with its package: the others are made all
    the same. Raises `StoreError` when the disk refuses.
    """
    results: dict[str, UnitFacts | LaminaError] = {}
    if interpreter := batch[0].interpreter:
        _make_interpreter(store, interpreter.units)
    with ExitStack() as held:
        # In one order for all processes, or two would wait for each other.
        for ref in sorted(each.ref for each in batch):
            held.enter_context(store.exclusive(unit_lock(ref)))
        work = held.enter_context(store.work_folder())
        wanted: dict[Path, Unpacking] = {}
        made: dict[Path, UnitFacts] = {}
        for number, each in enumerate(batch):
            if found := find_unit(store, each):
                results[each.ref.key] = found
                continue
            folder = work / str(number)
            wanted[folder] = each
            try:
                made[folder] = _unpacked(store, each.ref, folder)
            except LaminaError as error:
                results[each.ref.key] = error
        made |= _compiled(store, wanted, made, work / "compiling")
        for folder, facts in made.items():
            (folder / FACTS).write_text(facts.to_json())
            store.discard_unit(facts.digest)
            store.keep_unit(folder, facts.digest)
            results[wanted[folder].ref.key] = facts
    return results


@cache  # once in each process: it is asked for with every batch
def _make_interpreter(store: Store, units: tuple[UnitRef, ...]) -> None:
    for ref in units:
        for result in make_units(store, [Unpacking(ref=ref)]).values():
            if isinstance(result, LaminaError):
                raise result


def _unpacked(store: Store, ref: UnitRef, folder: Path) -> UnitFacts:
    package = store.download_path(ref.digest)
    if not check_download(package, ref.digest, ref.size):
        raise damaged_in_use(ref.spoken, package)
    folder.mkdir()
    return BACKENDS[ref.kind].make_unit(package, folder, ref)


def _compiled(
    store: Store, wanted: Mapping[Path, Unpacking], made: Mapping[Path, UnitFacts], folder: Path
) -> Mapping[Path, UnitFacts]:
    """Compile the modules of those units that have foreseen ones; return their facts."""
    lacking = {place: facts for place, facts in made.items() if facts.compilable}
    interpreter = next((each.interpreter for each in wanted.values()), None)
    if not lacking or interpreter is None:
        return {}
    folder.mkdir()
    trees = [store.unit_path(ref.digest) / TREE for ref in reversed(interpreter.units)]
    compiled = compile_modules(lacking, trees, folder)
    return {
        place: replace(facts, digest=wanted[place].compiled) for place, facts in compiled.items()
    }


def unit_lock(ref: UnitRef) -> str:
    """Return the name of the lock under which the unit of a file is made or discarded."""
    return f"unit-{ref.digest.hex}"


def damaged_in_use(what: str, place: Path) -> StoreError:
    """Return the error for something that another process has changed since it was checked."""
    return StoreError(
        Fault(
            str(place),
            f"{what} was damaged in the store while it was in use",
            "check the disk, and build again: it will be made or fetched anew",
        )
    )
