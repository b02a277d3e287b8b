"""Consumers moved to the fleet's names: their files read, changed, and given back."""

from __future__ import annotations

from pathlib import Path

from lamina.migrate.migration import Migration, make_migration
from lamina.migrate.names import Names
from lamina.migrate.tree import read_tree
from lamina.migrate.writing import Reverted, revert, write_changes
from lamina.model.names import Scheme
from lamina.pipeline.fleet import load
from lamina.settings import Settings


def plan_migration(settings: Settings, tree: Path, scheme: Scheme) -> Migration:
    """Return what moving the files at `tree` to the names of `scheme` comes to."""
    names = Names.of(load(settings), scheme)
    return make_migration(read_tree(tree), names)


def apply_migration(settings: Settings, tree: Path, scheme: Scheme) -> Migration:
    """Move the files at `tree`, all or none, and return what was done."""
    migration = plan_migration(settings, tree, scheme)
    write_changes(tree.resolve(), migration.changes)
    return migration


def revert_migration(tree: Path) -> Reverted:
    """Give back the bytes that the files at `tree` had before they were moved."""
    return revert(tree.resolve())
