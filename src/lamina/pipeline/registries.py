"""How registries are spoken to in the surroundings of a run."""

from __future__ import annotations

from lamina.registry import Access, access_of
from lamina.settings import Settings


def access(settings: Settings) -> Access:
    """Return where container tools keep passwords and certificates."""
    return access_of(settings.environment)
