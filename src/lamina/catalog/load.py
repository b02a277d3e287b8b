"""Catalogue folders read as one catalogue, with all their faults at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lamina.catalog.accounts import read_accounts
from lamina.catalog.cadences import read_cadences
from lamina.catalog.distros import choose_distro, read_distros
from lamina.catalog.entries import read_entries
from lamina.catalog.files import copy_files
from lamina.catalog.folder import make_folders
from lamina.catalog.images import make_images
from lamina.catalog.offers import make_offers
from lamina.catalog.relations import Surroundings, relation_faults
from lamina.catalog.rules import read_rules
from lamina.catalog.sources import read_sources
from lamina.catalog.specs import make_specs
from lamina.errors import CatalogError
from lamina.model.architecture import architecture_of
from lamina.model.catalog import Catalog, Distro
from lamina.model.offer import Offers


def load_catalog(
    folders: Sequence[Path], distro: str, *, architecture: str | None = None
) -> Catalog:
    """Return the catalogue in `folders` for `distro`: the first folder, the others laid over it.

    Without `architecture` it is the one that the distribution names first.
    Raises one `CatalogError` with every fault of every file, and `UsageError` for a distribution
    or an architecture that the catalogue does not have.
    """
    layers = make_folders(folders)
    distros = read_distros(layers)
    rules = read_rules(layers, distros)
    accounts = read_accounts(layers)
    sources = read_sources(layers)
    cadences = read_cadences(layers)
    entries = read_entries(layers)
    faults = [
        *distros.faults,
        *rules.faults,
        *accounts.faults,
        *sources.faults,
        *cadences.faults,
        *entries.faults,
    ]
    if distro not in distros.by_name:
        # Perhaps it is there, in a file with a fault.
        CatalogError.raise_all(faults)
    chosen = choose_distro(distros, layers, distro, architecture)
    chosen = replace(chosen, rules=rules.of(chosen.fallback))
    specs, found = make_specs(entries, chosen, architecture_of(chosen.architecture))
    faults.extend(found)
    surroundings = Surroundings(distro=chosen, distros=distros, accounts=accounts, sources=sources)
    faults.extend(relation_faults(specs, surroundings))
    copies, found = copy_files(specs, layers)
    faults.extend(found)
    CatalogError.raise_all(faults)
    images = make_images(specs, accounts, copies, chosen, cadences.by_kind)
    return Catalog(distro=chosen, images=images, sources=sources.urls)


def load_offers(folders: Sequence[Path]) -> tuple[Offers, ...]:
    """Return what every distribution has of the images of the catalogue in `folders`.

    Those come first that the catalogue describes, then those that its entries only name.
    Raises `CatalogError` as `load_catalog` does, for what is wrong in the files alone.
    """
    layers = make_folders(folders)
    distros, entries = read_distros(layers), read_entries(layers)
    CatalogError.raise_all([*distros.faults, *entries.faults])
    return make_offers(entries, distros)


def load_distro(folders: Sequence[Path], distro: str, *, architecture: str | None = None) -> Distro:
    """Return the distribution `distro` of the catalogue in `folders`, without reading images.

    Raises as `load_catalog` does.
    """
    layers = make_folders(folders)
    distros = read_distros(layers)
    rules = read_rules(layers, distros)
    CatalogError.raise_all([*distros.faults, *rules.faults])
    chosen = choose_distro(distros, layers, distro, architecture)
    return replace(chosen, rules=rules.of(chosen.fallback))


def distro_names(folders: Sequence[Path]) -> tuple[str, ...]:
    """Return the names of the distributions in `folders`, sorted; files with faults do not count.

    Raises `CatalogError` for a folder that is no catalogue.
    """
    return tuple(sorted(read_distros(make_folders(folders)).by_name))
