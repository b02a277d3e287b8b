"""What an entry of `ContainerImagePrepare` sets, and the references that come of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lamina.migrate.names import Names
from lamina.migrate.tripleo.prefix import ALL, OURS, infra_prefix
from lamina.model.image import Image, Kind, Type
from lamina.model.names import DISTRO_WORDS

# Where an entry sets no namespace or tag, any will do: what is compared is before and after.
_NAMESPACE = "registry.example/tripleomaster"
_TAG = "current-tripleo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming:
    """An infra image's references before and after, under each name that it had."""

    image: Image
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What references are made of: as tripleo-common makes them of an entry's `set`."""

    namespace: str = _NAMESPACE
    prefixes: tuple[tuple[str, str], ...]  # of all images and of infra images, side by side
    suffix: str = ""
    tag: str = _TAG

    @classmethod
    def of(cls, values: Mapping[str, str], names: Names) -> Setting:
        """Return what an entry sets. Without a prefix, any distribution and type is possible."""
        given = values.get(ALL)
        prefixes = (
            tuple(f"{distro}-{type_}-" for distro in DISTRO_WORDS for type_ in Type)
            if given is None
            else (hyphened(given),)
        )
        own = values.get(OURS)
        suffix = values.get("name_suffix", "")
        return cls(
            namespace=values.get("namespace", _NAMESPACE),
            prefixes=tuple((it, _ours(it, own, names)) for it in prefixes),
            suffix=suffix if not suffix or suffix.startswith("-") else f"-{suffix}",
            tag=values.get("tag", _TAG),
        )

    def renamings(self, names: Names) -> Iterator[Renaming]:
        """Yield the infra images, by name."""
        called: dict[str, list[str]] = {}
        for name, image in sorted(names.images.items()):
            if image.kind is Kind.INFRA:
                called.setdefault(image.id.name, []).append(name)
        for new, olds in sorted(called.items()):
            yield Renaming(
                image=names.images[new],
                before=tuple(self._reference(p, old) for p, _ in self.prefixes for old in olds),
                after=tuple(dict.fromkeys(self._reference(p, new) for _, p in self.prefixes)),
            )

    def others(self, names: Names) -> Iterator[str]:
        """Yield the references of openstack images, which stay."""
        for name, image in sorted(names.images.items()):
            if image.kind is Kind.OPENSTACK:
                yield from (self._reference(prefix, name) for prefix, _ in self.prefixes)

    def infra_prefixes(self, pattern: re.Pattern[str], names: Names) -> tuple[str, ...]:
        """Return what is before infra images where `pattern` finds one behind a prefix of all."""
        return tuple(
            dict.fromkeys(
                ours
                for prefix, ours in self.prefixes
                if any(pattern.search(self._reference(prefix, name)) for name in names.images)
            )
        )

    def finds_all(self, pattern: re.Pattern[str], names: Names) -> bool:
        """Tell whether `pattern` finds every image behind a prefix, one of any name included."""
        return any(
            all(
                pattern.search(self._reference(prefix, name))
                for name in (*names.images, "0-no-image-of-the-catalogue")
            )
            for prefix, _ in self.prefixes
        )

    def _reference(self, prefix: str, name: str) -> str:
        return f"{self.namespace}/{prefix}{name}{self.suffix}:{self.tag}"


def hyphened(prefix: str) -> str:
    """Return the prefix as tripleo-common completes it, which it does not for `infra_prefix`."""
    return prefix if not prefix or prefix.endswith("-") else f"{prefix}-"


def _ours(prefix: str, own: str | None, names: Names) -> str:
    if own is not None:
        return own
    found = infra_prefix(prefix, names.scheme)
    return prefix if found is None else found
