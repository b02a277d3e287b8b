"""What a pipeline is asked to do, every text of it safe where a pipeline has it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from lamina.ci.cadence import Cadence
from lamina.ci.grouping import Groups
from lamina.errors import Fault, UsageError
from lamina.model.image import ImageId, Kind

# Nothing in it means anything to a shell in quotes, to YAML's or to a pipeline's own templates.
_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.,:;@/=~<>!+()\[\] #*-]*")
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_WORD = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.,:@/+*?\[\]!-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A pipeline's images and places. Paths are relative to the root of its repository."""

    groups: Groups
    count: int  # of groups that were asked for; there may be fewer
    cadence: Cadence
    distro: str
    registry: str  # HOST[:PORT]/NAMESPACE that is published to
    cache: str = ""  # the namespace of the same registry through which jobs share; empty: none
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
            *(("--registry", self.registry, _PLACE), ("--cache", self.cache, _PLACE)),
            *(("--requirement", self.requirement, _PLAIN), ("--runner", self.runner, _WORD)),
            *(("--lock", self.lock, _WORD), *(("--catalog", one, _WORD) for one in self.catalogs)),
            *(("SELECT", one, _WORD) for one in self.terms),
        )
        faults = [
            Fault(place, f"'{text}' is not what a pipeline may hold", _REMEDIES[pattern])
            for place, text, pattern in given
            if text and not pattern.fullmatch(text)
        ]
        if self.cache and self.cache.partition("/")[0] != self.registry.partition("/")[0]:
            faults.append(
                Fault(
                    "--cache",
                    f"'{self.cache}' is not in the registry of --registry",
                    "give another namespace of that registry: there is one login",
                )
            )
        if self.count > 1 and not self.cache:
            faults.append(
                Fault(
                    "--groups",
                    "several groups hand their images on through a shared cache",
                    "give --cache HOST/NAMESPACE, or build in one group",
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
            *(("--registry", self.registry), ("--cache", self.cache), ("--names", self.names)),
            *(("--groups", str(self.count)), ("--requirement", self.requirement)),
            *(("--runner", self.runner), ("--distro", self.distro), ("--lock", self.lock)),
            *(("--catalog", one) for one in self.catalogs),
            ("--to", "."),
        )
        words = [word for name, text in options if text for word in (name, text)]
        return shlex.join(["lamina", "ci", system, *self.terms, *words])


def names_of(images: Iterable[ImageId]) -> str:
    """Return images as a pipeline lists them."""
    return " ".join(map(str, images))


_REMEDIES = {
    _PLACE: "say HOST[:PORT]/NAMESPACE, without https://",
    _PLAIN: "leave out what a shell or a template reads as more than text",
    _WORD: "letters, digits and . _ - / : @ are always right",
}
