"""The ledger of a namespace: what was published there under one tag, and when.

It lies in the registry itself, as a small artifact, so that whoever publishes next knows, on
whatever machine. It decides on dates alone: what is sent follows from what the registry has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId

LEDGER_TYPE = "application/vnd.lamina.ledger.v1+json"
REPOSITORY = "lamina-ledger"
"""The repository of a namespace in which its ledgers lie."""

_FORMAT = 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """An image as it was published."""

    manifest: Digest
    published: datetime  # in UTC, whole seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An image that was published: what it is now, and what it was before."""

    now: Publication
    names: frozenset[str]  # `debian-cron:latest`, all that mean it
    security: Mapping[str, str]  # versions of the packages it has from security repositories
    before: tuple[Publication, ...] = ()  # newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Every image that was published under one tag, for one distribution and architecture."""

    entries: Mapping[ImageId, Entry] = field(default_factory=dict)

    @property
    def last(self) -> datetime | None:
        """When anything was published last."""
        return max((entry.now.published for entry in self.entries.values()), default=None)

    def to_json(self) -> bytes:
        """Return the ledger as canonical JSON."""
        images = {str(image): _plain(entry) for image, entry in self.entries.items()}
        return canonical_json({"format": _FORMAT, "images": images})

    @classmethod
    def from_json(cls, text: bytes) -> Ledger:
        """Read what `to_json` wrote; raise `ValueError` for anything else."""
        try:
            raw = json.loads(text)
            if raw["format"] != _FORMAT:
                raise ValueError(f"a ledger of format {raw['format']}")
            images = raw["images"].items()
            return cls(entries={ImageId.parse(image): _entry(entry) for image, entry in images})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a ledger: {error}") from error


def ledger_tag(tag: str, distro: str, architecture: str) -> str:
    """Return the tag of the ledger of what is published as `tag`."""
    return f"{tag}-{distro}-{architecture}"


def entered(ledger: Ledger, published: Mapping[ImageId, Entry]) -> Ledger:
    """Return the ledger after images were published, each with what it was before."""
    return Ledger(
        entries={
            **ledger.entries,
            **{
                image: _continued(ledger.entries.get(image), entry)
                for image, entry in published.items()
            },
        }
    )


def without(ledger: Ledger, gone: Iterable[Digest]) -> Ledger:
    """Return the ledger without earlier publications of manifests that were removed."""
    removed = frozenset(gone)
    return Ledger(
        entries={
            image: Entry(
                now=entry.now,
                names=entry.names,
                security=entry.security,
                before=tuple(each for each in entry.before if each.manifest not in removed),
            )
            for image, entry in ledger.entries.items()
        }
    )


def _continued(old: Entry | None, new: Entry) -> Entry:
    if old is None:
        return new
    earlier = (old.now, *old.before)
    return Entry(
        now=new.now,
        names=old.names | new.names,
        security=new.security,
        before=tuple(each for each in earlier if each.manifest != new.now.manifest),
    )


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "now": _plain_publication(entry.now),
        "names": sorted(entry.names),
        "security": dict(entry.security),
        "before": [_plain_publication(each) for each in entry.before],
    }


def _plain_publication(publication: Publication) -> dict[str, str]:
    time = publication.published.astimezone(UTC).strftime(_TIME)
    return {"manifest": str(publication.manifest), "published": time}


def _entry(raw: Any) -> Entry:
    return Entry(
        now=_publication(raw["now"]),
        names=frozenset(map(str, raw["names"])),
        security={str(name): str(version) for name, version in raw["security"].items()},
        before=tuple(map(_publication, raw["before"])),
    )


def _publication(raw: Any) -> Publication:
    time = datetime.strptime(raw["published"], _TIME).replace(tzinfo=UTC)
    return Publication(manifest=Digest.parse(raw["manifest"]), published=time)
