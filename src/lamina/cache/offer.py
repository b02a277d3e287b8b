"""Records of published images, put beside them for others."""

from __future__ import annotations

from lamina.cache.record import RECORD_TYPE, key_tag, record_artifact
from lamina.model.built import Built
from lamina.registry.artifacts import Target, get_artifact, put_artifact
from lamina.store.built_json import from_json


def offer_record(target: Target, repository: str, built: Built) -> bool:
    """Put the record of an image that `repository` has beside it; tell whether it was sent.

    The tag of a key does not move: a record that is there stays, unless it is of the same image
    and does not say that this has passed its tests.
    """
    tag = key_tag(built.key)
    if _says_as_much(target, repository, tag, built):
        return False
    put_artifact(target, repository, tag, record_artifact(built))
    return True


def _says_as_much(target: Target, repository: str, tag: str, built: Built) -> bool:
    """Tell whether a record is there that must not give way to that of `built`."""
    try:
        there = get_artifact(target, repository, tag, RECORD_TYPE)
        known = from_json(there.content) if there else None
    except ValueError:
        return False  # nobody could use it
    if known is None:
        return False
    return known.manifest != built.manifest or known.tested is not None or built.tested is None
