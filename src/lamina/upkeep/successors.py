"""Names that images had before: by what each is succeeded, and until when it stays.

All names of an image share one digest, so nothing of this can stand in a manifest. It is a small
artifact beside the old name, under a tag of its own, and goes when the name goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from lamina.errors import UsageError
from lamina.model.catalog import Distro
from lamina.model.image import Image, ImageId
from lamina.model.names import Scheme, print_names
from lamina.oci.artifact import Artifact

SUCCESSOR_TYPE = "application/vnd.lamina.successor.v1+json"

_SUCCESSOR = "org.lamina.successor"
_UNTIL = "org.lamina.until"
_PREFIX = "successor-of-"
_LONGEST = 128  # characters of a tag


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class OldName:
    """A name that an image had before, and the one that it has now; both `REPOSITORY:TAG`."""

    name: str
    successor: str
    image: ImageId

    @property
    def repository(self) -> str:
        """The repository of the old name."""
        return self.name.rpartition(":")[0]

    @property
    def tag(self) -> str:
        """The tag of the old name."""
        return self.name.rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a registry tells of an old name."""

    successor: str
    until: date  # the last day on which the name is kept

    def expired(self, today: date) -> bool:
        """Tell whether the name may go."""
        return self.until < today


def old_names(
    images: Iterable[Image], distro: Distro, present: Scheme, old: Collection[Scheme], *, tag: str
) -> tuple[OldName, ...]:
    """Return the names of images in the schemes `old` that are not those in `present`, sorted.

    Where images would share an old name, as in `short` the types of one, it is left out: nobody
    can say what follows it.
    """
    found: dict[str, OldName] = {}
    shared: set[str] = set()
    for image in images:
        successor = print_names(image, distro, present, tag=tag)[0]
        mine = set(print_names(image, distro, present, tag=tag))
        for scheme in old:
            for name in print_names(image, distro, scheme, tag=tag):
                new = OldName(name=name, successor=successor, image=image.id)
                if name not in mine and found.setdefault(name, new).image != image.id:
                    shared.add(name)
    return tuple(sorted(found[name] for name in found.keys() - shared))


def notice_tag(tag: str) -> str:
    """Return the tag under which a repository tells what follows its `tag`.

    Raises `UsageError` for a tag that is too long for that.
    """
    if len(tag) > _LONGEST - len(_PREFIX):
        raise UsageError.one(
            f"the tag '{tag}' is too long to tell what follows it",
            remedy=f"take one of at most {_LONGEST - len(_PREFIX)} characters",
        )
    return f"{_PREFIX}{tag}"


def is_notice_tag(tag: str) -> bool:
    """Tell whether something is told of another tag here."""
    return tag.startswith(_PREFIX)


def notice_artifact(notice: Notice) -> Artifact:
    """Return what a registry is to tell of an old name."""
    said = {_SUCCESSOR: notice.successor, _UNTIL: notice.until.isoformat()}
    return Artifact(type=SUCCESSOR_TYPE, annotations=said)


def read_notice(annotations: Mapping[str, str]) -> Notice:
    """Read what `notice_artifact` wrote; raise `ValueError` for anything else."""
    successor, until = annotations.get(_SUCCESSOR, ""), annotations.get(_UNTIL, "")
    if not successor:
        raise ValueError("it names no successor")
    return Notice(successor=successor, until=date.fromisoformat(until))
