"""Building one image: install, finish, delta, layers, manifest."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from lamina.backends.deb.install import (
    PACKAGES,
    PROGRAMS,
    UNITS,
    Packages,
    account_calls,
    environment,
    install_calls,
)
from lamina.backends.deb.library import DPKG, lister
from lamina.backends.deb.python_calls import PY3COMPILE, finder
from lamina.build.units import Units
from lamina.engine import delta, finish, sandbox
from lamina.engine.merged import make_links
from lamina.engine.sandbox import Bind, Call, Sandbox
from lamina.engine.stack import (
    DIVERSIONS,
    Diversion,
    Stack,
    corrections,
    intrusions,
    over,
    read_diversions,
    unshareable,
)
from lamina.engine.unit import TREE, UnitFacts
from lamina.errors import BuildError, Fault
from lamina.model.built import Built, Inputs, Layer
from lamina.model.catalog import PathRule
from lamina.model.image import Image
from lamina.model.lock import LockedImage, UnitRef
from lamina.oci.entry import Entry
from lamina.oci.image import make_config, make_manifest
from lamina.oci.layer import write_layer, write_unit_layer
from lamina.oci.tree import scan_tree, scan_upper
from lamina.store.layers import made_of
from lamina.store.store import Store

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that one image is built from."""

    image: Image
    locked: LockedImage
    units: Mapping[str, UnitRef]  # its own, by key
    facts: Mapping[str, UnitFacts]  # of the same
    inputs: Inputs
    rules: tuple[PathRule, ...]
    distro: str
    architecture: str
    parent: Built | None
    stack: Stack  # the parent's
    groups: tuple[tuple[str, ...], ...]  # its units by key, as they share layers; bottom first

    @property
    def epoch(self) -> int:
        """The newest time among the image's inputs, in seconds since 1970."""
        return max([self.stack.epoch, *(unit.epoch for unit in self.facts.values())])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Installed:
    """What an installation left."""

    upper: Path
    trees: tuple[str, ...]  # unit keys, topmost first


def build_image(
    job: Job, store: Store, packages: Units, work: Path, *, stop: Event, on_step: Step
) -> Built:
    """Build the image in the empty folder `work`, put it into the store and return it.

    Its tests are not run and it is not tagged. Raises `BuildError` with the tail of the log when
    a call fails, `Stopped` once `stop` is set.
    """
    began = time.monotonic()
    log = store.log_path(job.distro, job.image.id)
    log.write_bytes(b"")
    installed = _install(job, store, packages, work, log, stop=stop, on_step=on_step)
    on_step("delta")
    changes = _delta(job, store, installed)
    on_step("layers")
    layers = _layers(job, store, installed, changes)
    inherited = job.parent.layers if job.parent else ()
    config = make_config(
        job.image.runtime,
        layers=(*inherited, *layers),
        epoch=job.epoch,
        architecture=job.architecture,
    )
    config_digest = store.layout.write_blob(config)
    manifest = make_manifest(
        config,
        (*inherited, *layers),
        title=str(job.image.id),
        epoch=job.epoch,
        base=job.parent.manifest if job.parent else None,
    )
    manifest_digest = store.layout.write_blob(manifest)
    built = Built(
        id=job.image.id,
        key=job.inputs.key(),
        inputs=job.inputs,
        parent=job.parent.manifest if job.parent else None,
        manifest=manifest_digest,
        manifest_size=len(manifest),
        config=config_digest,
        units=tuple(job.units[key] for key in job.locked.units),
        trees={key: job.facts[key].digest for key in installed.trees},
        layers=(*inherited, *layers),
        own_layers=len(layers),
        epoch=job.epoch,
        seconds=round(time.monotonic() - began, 3),
    )
    store.keep_delta(installed.upper, manifest_digest)
    store.save_built(built)
    return built


def stack_of(built: Built, parent: Stack, facts: Mapping[str, UnitFacts], store: Store) -> Stack:
    """Return the stack of an image in the store; `facts` of its own units by key."""
    folder = store.delta_path(built.manifest)
    return over(
        parent,
        delta=folder,
        changes=scan_upper(folder),
        units=[facts[unit.key] for unit in built.units],
        trees={store.unit_path(digest) / TREE: facts[key] for key, digest in built.trees.items()},
    )


def _install(
    job: Job, store: Store, packages: Units, work: Path, log: Path, *, stop: Event, on_step: Step
) -> _Installed:
    """Install, with husks as far as they serve; once more if diversions turn up on the way."""
    known = _diversions(delta.finder(job.stack.lowers)(DIVERSIONS))
    attempt = 0
    real = unshareable(job.stack, job.facts, known)
    while True:
        attempt += 1
        _refuse_intrusions(job, real)
        folder = work / f"attempt-{attempt}"
        folder.mkdir()
        trees = tuple(key for group in reversed(job.groups) for key in group if key not in real)
        packages.fetch([job.units[key] for key in sorted(real)])
        box = _sandbox(job, store, folder, trees)
        _run(job, box, _calls(job, frozenset(real)), log, stop=stop, on_step=on_step)
        now = _diversions(box.upper / DIVERSIONS)
        more = unshareable(job.stack, job.facts, known | now)
        if more.keys() == real.keys():
            return _Installed(upper=box.upper, trees=trees)
        real = more
        shutil.rmtree(folder)


def _refuse_intrusions(job: Job, real: Mapping[str, str]) -> None:
    """Raise `BuildError` where an artifact and something else have one path."""
    found = intrusions(job.stack, job.facts, real, delta.finder(job.stack.lowers))
    BuildError.raise_all(
        [
            Fault(
                str(job.image.id),
                f"{job.units[key].spoken}: {why}",
                "install the artifact elsewhere, as in /usr/local/bin or /opt, or leave one out",
            )
            for key, why in found.items()
        ]
    )


def _sandbox(job: Job, store: Store, folder: Path, trees: tuple[str, ...]) -> Sandbox:
    programs = folder / "programs"
    programs.mkdir()
    facts = [job.facts[key] for key in trees]
    for name, program in ((PY3COMPILE, finder(facts)), (DPKG, lister(facts))):
        if program:
            (programs / name).write_text(program)
            (programs / name).chmod(0o755)
    box = Sandbox(
        lowers=(*_trees(job, store, trees), *job.stack.lowers),
        folder=folder,
        binds=(
            Bind(source=store.units, target=UNITS),
            Bind(source=store.downloads, target=PACKAGES),
            Bind(source=programs, target=PROGRAMS),
            *finish.file_binds(job.image.files),
        ),
    )
    sandbox.prepare(box)
    if not job.stack.lowers:
        make_links(box.upper, box.lowers)
    wanted = corrections(
        job.stack,
        [job.facts[key] for key in job.locked.units],
        [job.facts[key] for key in trees],
    )
    delta.make_directories(box.upper, wanted, job.stack.directories)
    return box


def _calls(job: Job, real: frozenset[str]) -> tuple[Call, ...]:
    variables = environment(job.epoch)
    return (
        *install_calls(
            job.locked,
            Packages(units=job.units, facts=job.facts, real=real, stack=job.stack),
            account_calls(job.image.groups, job.image.users, variables),
            variables,
        ),
        *finish.finish_calls(job.image, job.rules, variables),
    )


def _run(
    job: Job,
    box: Sandbox,
    calls: tuple[Call, ...],
    log: Path,
    *,
    stop: Event,
    on_step: Step,
) -> None:
    on_step(calls[0].title if calls else "finish")

    def report(number: int, _result: sandbox.Result) -> None:
        if number + 1 < len(calls):
            on_step(calls[number + 1].title)

    results = sandbox.run(box, calls, log=log, stop=stop, on_result=report)
    if len(results) == len(calls) and all(result.good for result in results):
        return
    if results and os.strerror(errno.ENOSPC) in results[-1].output:
        # As the store tells it: where, and what to do.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    failed = calls[max(len(results) - 1, 0)]
    raise BuildError.one(
        f"{failed.title} failed{_ending(results, failed)}",
        place=str(job.image.id),
        remedy=f"the log has it all: {log}",
    )


def _ending(results: tuple[sandbox.Result, ...], call: Call) -> str:
    if not results or results[-1].good:
        return ": the sandbox was killed"
    if results[-1].code is None:
        return f": not done after {call.timeout:.0f} s"
    return f" with exit code {results[-1].code}"


def _diversions(file: Path | None) -> frozenset[Diversion]:
    if file is None or not file.is_file():
        return frozenset()
    return frozenset(read_diversions(file.read_text(errors="surrogateescape")))


def _delta(job: Job, store: Store, installed: _Installed) -> tuple[Entry, ...]:
    """Reduce the upper directory to what is new, and return its entries."""
    upper = installed.upper
    changes = scan_upper(upper)
    below = delta.finder((*_trees(job, store, installed.trees), *job.stack.lowers))
    unneeded = delta.redundant(changes, below)
    delta.drop(upper, unneeded)
    return delta.clamp_times(upper, [e for e in changes if e.path not in unneeded], job.epoch)


def _layers(
    job: Job, store: Store, installed: _Installed, changes: tuple[Entry, ...]
) -> tuple[Layer, ...]:
    """Write the image's own layers: its groups of units, then its delta; none that is empty."""
    there = set(installed.trees)
    groups = (tuple(key for key in group if key in there) for group in job.groups)
    layers = [_unit_layer(job, store, group) for group in groups if group]
    if changes:
        layers.append(write_layer(changes, store.layout, mtime_limit=job.epoch))
    return tuple(layers)


def _unit_layer(job: Job, store: Store, group: Sequence[str]) -> Layer:
    """Return the layer of units, the first one topmost; written unless it was before."""
    name = made_of(job.facts[key].digest for key in group)
    with store.exclusive(f"layer-{name.hex}"):
        layer = store.layers.find(name)
        if layer is None:
            layer = write_unit_layer(
                {
                    key: scan_tree(tree)
                    for key, tree in zip(group, _trees(job, store, group), strict=True)
                },
                store.layout,
                # A layer of units depends on nothing but its units.
                mtime_limit=max(job.facts[key].epoch for key in group),
            )
            store.layers.keep(name, layer)
    return layer


def _trees(job: Job, store: Store, keys: Iterable[str]) -> tuple[Path, ...]:
    return tuple(store.unit_path(job.facts[key].digest) / TREE for key in keys)
