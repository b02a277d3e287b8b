"""What may be deleted in a repository without taking anything that something else needs.

A registry deletes manifests by their digests, with every tag that means them. So the question is
always of a digest: whether any tag that stays, an index, or something outside needs it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lamina.model.digest import Digest
from lamina.oci.descriptor import Descriptor

Tags = Mapping[str, Digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What is to be deleted in one repository, and what had to stay."""

    repository: str
    digests: tuple[Digest, ...]  # of manifests, sorted
    tags: tuple[str, ...]  # that go with them, sorted
    kept: Mapping[str, str]  # tags that were to go and stay, each with the reason

    def to_json(self) -> dict[str, Any]:
        """Return it in JSON's own types."""
        return {
            "repository": self.repository,
            "manifests": [str(digest) for digest in self.digests],
            "tags": list(self.tags),
            "kept": dict(self.kept),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much of the past is kept: whatever one of the two keeps stays."""

    count: int  # content tags of one repository, the newest first
    days: int  # since the publication


def remove_tags(
    repository: str, tags: Tags, wanted: Collection[str], needed: Mapping[Digest, str]
) -> Removal:
    """Return what can be deleted so that the tags in `wanted` are gone.

    `tags` are all that the repository has, `needed` says what else needs a digest, and why.
    """
    doomed = {tag: tags[tag] for tag in wanted if tag in tags}
    holders: dict[Digest, str] = {}
    for tag, digest in sorted(tags.items()):
        if tag not in doomed:
            holders.setdefault(digest, f"the tag {tag} means the same")
    holders |= needed
    kept = {tag: holders[digest] for tag, digest in sorted(doomed.items()) if digest in holders}
    gone = {digest for digest in doomed.values() if digest not in holders}
    return Removal(
        repository=repository,
        digests=tuple(sorted(gone)),
        tags=tuple(sorted(tag for tag, digest in doomed.items() if digest in gone)),
        kept=kept,
    )


def is_content_tag(tag: str, digest: Digest) -> bool:
    """Tell whether a tag is made from the digest that it means, and so never means another."""
    return digest.short in tag


def children_of(manifest: bytes) -> tuple[Digest, ...]:
    """Return the manifests that an index names; none of anything else."""
    try:
        named = json.loads(manifest).get("manifests", ())
        return tuple(Descriptor.from_json(one).digest for one in named)
    except (AttributeError, TypeError, ValueError):
        return ()


def outdated(
    tags: Tags, published: Mapping[Digest, datetime], retention: Retention, now: datetime
) -> tuple[str, ...]:
    """Return which of a repository's content tags are past their time, the oldest first.

    `tags` are its content tags; `published` says when what they mean was published. Of what is
    not said, nobody knows how old it is, and it stays.
    """
    dated = sorted(
        ((published[digest], tag) for tag, digest in tags.items() if digest in published),
        reverse=True,
    )
    before = now.astimezone(UTC) - timedelta(days=retention.days)
    past = [tag for time, tag in dated[retention.count :] if time < before]
    return tuple(reversed(past))
