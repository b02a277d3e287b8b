"""Which names are published: as a registry tells it, or files that need no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from lamina.errors import UsageError
from lamina.model.reference import Namespace
from lamina.oci.descriptor import REF_NAME
from lamina.oci.layout import Layout

if TYPE_CHECKING:
    from lamina.registry.client import Registry

Exists = Callable[[str], bool]
"""Tells whether a reference, `[REGISTRY/][NAMESPACE/]REPOSITORY[:TAG]`, is published."""


def in_digests(path: Path) -> Exists:
    """Return what finds a reference in a file of digests, as `lamina publish` writes it.

    Registry and namespace have no say: a deployment may pull through a mirror.
    Raises `UsageError` for a file that is none.
    """
    try:
        found = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)  # JSON is YAML too
    except OSError as error:
        raise UsageError.one(
            f"cannot be read: {error.strerror}", place=str(path), remedy="give a file of digests"
        ) from error
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict):
        raise UsageError.one(
            "not a file of digests",
            place=str(path),
            remedy="`lamina publish --digests FILE` writes one",
        )
    return _among(str(reference) for reference in found)


def in_layout(path: Path) -> Exists:
    """Return what finds a reference among the tags of an OCI image layout.

    Raises `StoreError` for a folder that is none.
    """
    index = Layout(path).index()
    return _among(one.annotations[REF_NAME] for one in index if REF_NAME in one.annotations)


def in_registry(registry: Registry, namespace: Namespace) -> Exists:
    """Return what asks a registry for a reference, below `namespace` whatever its own is."""

    def exists(reference: str) -> bool:
        name = namespace.reference(short_reference(reference))
        return registry.manifest(name.repository, name.tag) is not None

    return exists


def short_reference(reference: str) -> str:
    """Return `REPOSITORY:TAG` of a reference, without registry and namespace."""
    name = reference.rpartition("/")[2]
    return name if ":" in name else f"{name}:latest"


def _among(references: Iterable[str]) -> Exists:
    names = frozenset(short_reference(one) for one in references)
    return lambda reference: short_reference(reference) in names
