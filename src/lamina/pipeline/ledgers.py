"""The ledgers of a namespace: read before something is published, and written after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lamina.model.lock import Lock
from lamina.model.reference import Namespace
from lamina.oci.artifact import Artifact
from lamina.registry.artifacts import get_artifact, put_artifact
from lamina.upkeep.ledger import LEDGER_TYPE, REPOSITORY, Ledger, ledger_tag

if TYPE_CHECKING:
    from lamina.registry.client import Registry


def read_ledger(registry: Registry, namespace: Namespace, lock: Lock, *, tag: str) -> Ledger:
    """Return what was published as `tag`; an empty ledger where there is none.

    One that cannot be read counts as none: then everything is due, and what the registry has is
    not sent again. Raises `NetworkError`.
    """
    try:
        found = get_artifact(
            registry, namespace.repository(REPOSITORY), _tag(lock, tag), LEDGER_TYPE
        )
        return Ledger.from_json(found.content) if found else Ledger()
    except ValueError:
        return Ledger()


def update_ledger(
    registry: Registry,
    namespace: Namespace,
    lock: Lock,
    change: Callable[[Ledger], Ledger],
    *,
    tag: str,
) -> None:
    """Replace the ledger by what `change` makes of it; raises `NetworkError`.

    It is read anew for that, for others may have published meanwhile. Of two that write at the
    same time one is lost: what it published counts as due, and is not sent again all the same.
    """
    before = read_ledger(registry, namespace, lock, tag=tag)
    after = change(before)
    if after != before:
        artifact = Artifact(type=LEDGER_TYPE, content=after.to_json())
        put_artifact(registry, namespace.repository(REPOSITORY), _tag(lock, tag), artifact)


def _tag(lock: Lock, tag: str) -> str:
    return ledger_tag(tag, lock.distro, lock.architecture)
