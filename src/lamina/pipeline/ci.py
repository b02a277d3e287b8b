"""Pipelines of continuous integration: the catalogue read, images put into groups, files made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.catalog import default_folder, load_catalog
from lamina.ci import (
    Groups,
    Request,
    System,
    fits,
    make_files,
    make_groups,
    read_files,
    read_groups,
    schedule_of,
)
from lamina.errors import UsageError
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.model.selection import Selection, with_ancestors
from lamina.pipeline.fleet import choose, current
from lamina.plan import obstacles, refuse_unbuildable
from lamina.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """What a pipeline is to be like, as the command line gives it; see `Request`."""

    system: System
    count: int  # of groups
    namespace: Namespace  # that is published to
    schemes: tuple[Scheme, ...]
    requirement: str
    runner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePipeline:
    """A pipeline as it should be, and what is there of it, by path in the repository."""

    files: Mapping[str, str]
    there: Mapping[str, str]
    groups: Groups


def ci(
    settings: Settings,
    selection: Selection,
    options: PipelineOptions,
    root: Path,
    *,
    keep_groups: bool,
) -> MadePipeline:
    """Return the pipeline of the repository in the folder `root`, and what is there of it.

    The groups are balanced by what the store knows of earlier builds. With `keep_groups`, those
    that are there stay if they are right: another store's balance makes no pipeline stale.
    Beyond that, the same catalogue and options give the same files on every machine.
    """
    # Of the distribution's usual architecture, whatever this machine's is.
    catalog = load_catalog((default_folder(), *settings.catalogs), settings.distro)
    refuse_unbuildable(catalog, selection.terms)
    wanted = with_ancestors(catalog, choose(settings, catalog, selection))
    impossible = obstacles(catalog)
    by_id = catalog.by_id()
    images = [by_id[image] for image in wanted if image not in impossible]
    if not images:
        raise UsageError.one(
            f"none of the selected images can be built for {settings.distro}",
            remedy="`lamina list --unbuildable` says why",
        )

    def request(groups: Groups) -> Request:
        return Request(
            groups=groups,
            count=options.count,
            schedule=schedule_of(images),
            distro=settings.distro,
            registry=options.namespace,
            cache=_cache(settings.caches, options.namespace),
            names=",".join(options.schemes),
            requirement=options.requirement,
            runner=options.runner,
            catalogs=tuple(_inside(root, folder, "--catalog") for folder in settings.catalogs),
            lock=_inside(root, settings.lock, "--lock"),
            kind=selection.kind,
            terms=selection.terms,
        )

    seconds = {image: built.seconds for image, built in current(settings).images.items()}
    made = make_groups(images, seconds, count=options.count)
    files = make_files(options.system, request(made))
    there = read_files(root, files)
    if keep_groups and dict(there) != dict(files):
        kept = read_groups(options.system, there)
        if kept and fits(kept, images, count=options.count):
            made, files = kept, make_files(options.system, request(kept))
    return MadePipeline(files=files, there=there, groups=made)


def _cache(caches: Sequence[Namespace], registry: Namespace) -> Namespace | None:
    """Return the cache through which jobs share: in the same registry, for there is one login.

    It is not what is published to: images come there when they are due.
    """
    fitting = (each for each in caches if each.registry == registry.registry and each != registry)
    return next(fitting, None)


def _inside(root: Path, path: Path, place: str) -> str:
    """Return a path of the repository as its pipeline knows it."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        raise UsageError.one(
            f"{path} is not in the repository",
            place=place,
            remedy="run this at its root: what the pipeline needs has to be in it",
        ) from None
