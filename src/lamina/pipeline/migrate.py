"""Consumers moved to the fleet's names: their files read, changed, and given back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lamina.errors import Fault, UsageError
from lamina.migrate.check import Checked, check, missing_references
from lamina.migrate.migration import Migration, make_migration
from lamina.migrate.names import Names
from lamina.migrate.published import Exists, in_digests, in_layout, in_registry
from lamina.migrate.render import NotVariablesError, Value, variables_in
from lamina.migrate.tree import decoded, read_tree, resolved
from lamina.migrate.writing import Reverted, originals, read_record, revert, write_changes
from lamina.model.event import Doing, Listener, Note
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.oci.claims import locked
from lamina.oci.disk import disk_faults
from lamina.pipeline.fleet import load
from lamina.registry import open_registry
from lamina.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What tells which images are published; a reference need be in one of them only."""

    digests: Path | None = None  # a file that `publish` wrote
    layout: Path | None = None  # an OCI image layout
    namespace: Namespace | None = None  # of a registry


def plan_migration(settings: Settings, tree: Path, scheme: Scheme | None) -> Migration:
    """Return what moving the files at `tree` to the names of `scheme` comes to.

    Without a scheme it is that of the last `apply_migration`, else `split`.
    """
    return make_migration(read_tree(tree), _names(settings, tree, scheme))


def apply_migration(settings: Settings, tree: Path, scheme: Scheme | None) -> Migration:
    """Move the files at `tree`, all or none, and return what was done."""
    root = resolved(tree)
    names = _names(settings, root, scheme)
    with _alone(root):
        migration = make_migration(read_tree(root), names)
        write_changes(root, migration.changes, names.scheme)
    return migration


def check_migration(
    settings: Settings,
    tree: Path,
    scheme: Scheme | None,
    *,
    variables: Sequence[Path],
    published: Published,
    listener: Listener,
) -> Checked:
    """Return what rendering proves of moving the files at `tree`.

    They are compared with what they were before the first `apply`, as they are to be after the
    next. `variables` are files of variables that win over the tree's. Undecided places are
    faults, and so are new references that none of `published` has, if there is any.
    Raises `NetworkError` when a registry cannot be asked.
    """
    names = _names(settings, tree, scheme)
    given = _given(variables)
    with _known(settings, published, listener) as known:
        listener(Doing(message=f"reading {tree}"))
        there = read_tree(tree)
        migration = make_migration(there, names)
        now = {file.path: file.text for file in there.files}
        record = read_record(there.root)
        before = now if record is None else {**now, **originals(there.root, record)[0]}
        after = {**now, **{change.path: change.new for change in migration.changes}}
        listener(Doing(message="rendering variables"))
        checked = check(before, after, names, given)
        missing: tuple[Fault, ...] = ()
        if known:
            listener(Doing(message="looking for the new references"))
            missing = missing_references(
                checked.references, lambda reference: any(one(reference) for one in known)
            )
    return replace(checked, faults=(*checked.faults, *migration.undecided, *missing))


@contextmanager
def _known(
    settings: Settings, published: Published, listener: Listener
) -> Iterator[tuple[Exists, ...]]:
    """Give what finds a reference, what is near first, while the block runs."""
    known = [in_digests(published.digests)] if published.digests else []
    known += [in_layout(published.layout)] if published.layout else []
    if published.namespace is None:
        yield tuple(known)
        return
    access = replace(settings.access, tell=lambda message: listener(Note(message=message)))
    with open_registry(published.namespace.registry, access) as registry:
        yield (*known, in_registry(registry, published.namespace))


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other runs of lamina from the tree for the block; what is not there, nobody changes."""
    with ExitStack() as stack:
        if root.exists():
            stack.enter_context(disk_faults(root, "folder"))
            stack.enter_context(locked(root))
        yield


def _names(settings: Settings, tree: Path, scheme: Scheme | None) -> Names:
    record = None if scheme else read_record(resolved(tree))
    return Names.of(load(settings), scheme or (record.scheme if record else Scheme.SPLIT))


def _given(files: Sequence[Path]) -> Mapping[str, Value]:
    """Return what files of variables set; raise `UsageError` for one that cannot be read."""
    given: dict[str, Value] = {}
    for file in files:
        try:
            given |= variables_in(decoded(file.read_bytes()))
        except OSError as error:
            raise UsageError.one(
                f"cannot be read: {error.strerror}",
                place=str(file),
                remedy="give a file of variables",
            ) from error
        except NotVariablesError as error:
            raise UsageError.one(
                f"not a file of variables: {error}",
                place=str(file),
                remedy="give a mapping in YAML or JSON, without encryption",
            ) from error
    return given


def revert_migration(tree: Path) -> Reverted:
    """Give back the bytes that the files at `tree` had before they were moved."""
    root = resolved(tree)
    with _alone(root):
        return revert(root)
