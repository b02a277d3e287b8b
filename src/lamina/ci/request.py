"""What a pipeline is asked to do, every text of it safe where a pipeline has it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from lamina.ci.cadence import Schedule
from lamina.ci.grouping import Groups
from lamina.errors import Fault, UsageError
from lamina.model.image import ImageId, Kind
from lamina.model.reference import Namespace

# Nothing in it means anything to a shell in quotes, to YAML's or to a pipeline's own templates.
_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.,:;@/=~<>!+()\[\] #*-]*")
_WORD = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.,:@/+*?\[\]!-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A pipeline's images and places. Paths are relative to the root of its repository."""

    groups: Groups
    count: int  # of groups that were asked for; there may be fewer
    schedule: Schedule
    distro: str
    registry: Namespace  # that is published to
    cache: Namespace | None = None  # of the same registry: through it jobs share what they built
    names: str  # schemes with commas: `split,legacy`
    requirement: str  # what pip is asked for to have lamina
    runner: str = ""  # label of the machines; empty: the usual ones
    catalogs: tuple[str, ...] = ()
    lock: str
    kind: Kind | None = None  # of the selection
    terms: tuple[str, ...] = ()  # of the selection

    def __post_init__(self) -> None:
        """Raise `UsageError` for every text that a pipeline cannot safely hold."""
        given = (
            *(("--requirement", self.requirement, _PLAIN), ("--runner", self.runner, _WORD)),
            *(("--lock", self.lock, _WORD), *(("--catalog", one, _WORD) for one in self.catalogs)),
            *(("SELECT", one, _WORD) for one in self.terms),
        )
        faults = [
            Fault(place, f"'{text}' is not what a pipeline may hold", _REMEDIES[pattern])
            for place, text, pattern in given
            if text and not pattern.fullmatch(text)
        ]
        if self.count > 1 and not self.cache:
            faults.append(
                Fault(
                    "--groups",
                    "several groups hand their images on through a shared cache",
                    f"name another namespace of {self.registry.host} in 'caches' of lamina.toml",
                )
            )
        UsageError.raise_all(faults)

    def images(self) -> str:
        """Return the names of all images, with blanks between; empty means the whole catalogue."""
        if not self.terms and not self.kind:
            return ""
        return " ".join(names_of(group) for group in self.groups)

    def command(self, system: str) -> str:
        """Return the command line that makes this pipeline, at the root of its repository."""
        options = (
            ("--kind", self.kind or ""),
            *(("--registry", written(self.registry)), ("--names", self.names)),
            *(("--groups", str(self.count)), ("--requirement", self.requirement)),
            *(("--runner", self.runner), ("--distro", self.distro), ("--lock", self.lock)),
            *(("--catalog", one) for one in self.catalogs),
            ("--to", "."),
        )
        words = [word for name, text in options if text for word in (name, text)]
        return shlex.join(["lamina", "ci", system, *self.terms, *words])


def written(namespace: Namespace) -> str:
    """Return a namespace as `--to` takes it."""
    return f"{namespace.registry}/{namespace.path}".rstrip("/")


def names_of(images: Iterable[ImageId]) -> str:
    """Return images as a pipeline lists them."""
    return " ".join(map(str, images))


_REMEDIES = {
    _PLAIN: "leave out what a shell or a template reads as more than text",
    _WORD: "letters, digits and . _ - / : @ are always right",
}
