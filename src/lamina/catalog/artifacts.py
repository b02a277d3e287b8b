"""The artifacts of a catalogue's images: checked against all else, and made of their forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from lamina.catalog.accounts import Accounts
from lamina.catalog.artifact_parts import ArtifactForm, PlacementForm
from lamina.catalog.artifact_texts import filled, speaks_of
from lamina.catalog.sources import Sources
from lamina.catalog.specs import Spec, Specs, owners_of
from lamina.errors import Fault
from lamina.model.architecture import architecture_of, machine_of
from lamina.model.artifact import ANY_ARCHITECTURE, Artifact, Placement, Recipe
from lamina.model.catalog import Distro
from lamina.model.digest import Digest
from lamina.model.spelling import did_you_mean

T = TypeVar("T")

_ROOT = "root"
_PROGRAM = 0o755


def artifact_faults(
    specs: Specs, accounts: Accounts, sources: Sources, distro: Distro
) -> Iterator[Fault]:
    """Yield everything that is wrong between artifacts, and between them and all else."""
    for repository in distro.repositories:
        if repository.name in sources.urls:
            yield Fault(
                sources.places[repository.name],
                f"'{repository.name}' is the name of a repository of {distro.name}",
                "give the place another name, so that each can have its own mirror",
            )
    first: dict[str, tuple[Spec, ArtifactForm]] = {}
    for spec in specs.by_name.values():
        for artifact in spec.artifacts:
            yield from _source(spec, artifact, sources)
            yield from _owners(spec, artifact, specs, accounts)
            other, known = first.setdefault(artifact.name, (spec, artifact))
            yield from _namesakes(spec, artifact, other, known)
        yield from _repeated(spec, specs)


def make_artifacts(spec: Spec, accounts: Accounts, distro: Distro) -> tuple[Artifact, ...]:
    """Return the artifacts of a spec without faults; none of an image that cannot be built."""
    if spec.unbuildable:
        return ()
    return tuple(_artifact(form, accounts, distro) for form in spec.artifacts)


def _artifact(form: ArtifactForm, accounts: Accounts, distro: Distro) -> Artifact:
    architecture = architecture_of(distro.architecture)
    words = {
        "name": form.name,
        "version": form.version,
        "architecture": form.words.get(architecture, architecture),
        "machine": machine_of(architecture),
    }
    special = isinstance(form.sha256, dict) or speaks_of(form.path, "architecture", "machine")
    sha256 = _of(form.sha256, architecture)
    return Artifact(
        name=form.name,
        version=form.version,
        architecture=architecture if special else ANY_ARCHITECTURE,
        source=form.source,
        path=filled(form.path, words),
        digest=Digest(sha256) if sha256 else None,
        size=_of(form.size, architecture),
        recipe=Recipe(
            install=tuple(_placement(line, words, accounts) for line in form.install),
            date=_seconds(form.date) if form.date else None,
        ),
    )


def _placement(line: PlacementForm, words: Mapping[str, str], accounts: Accounts) -> Placement:
    plain = _PROGRAM if line.source is None else None
    return Placement(
        source=filled(line.source or "", words),
        to=line.to,
        mode=int(line.mode, 8) if line.mode else plain,
        uid=accounts.users[line.owner].uid if line.owner != _ROOT else 0,
        gid=accounts.groups[line.group].gid if line.group != _ROOT else 0,
        without=tuple(filled(glob, words) for glob in line.without),
    )


def _of(value: T | Mapping[str, T] | None, architecture: str) -> T | None:
    """Return the value for the architecture."""
    return value.get(architecture) if isinstance(value, Mapping) else value


def _seconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def _source(spec: Spec, artifact: ArtifactForm, sources: Sources) -> Iterator[Fault]:
    if artifact.source not in sources.urls and sources.complete:
        yield Fault(
            spec.entry.place("artifacts", artifact.source),
            f"'{artifact.name}' comes from '{artifact.source}', a place that there is not",
            did_you_mean(artifact.source, sources.urls, otherwise="add it to 'sources.yaml'"),
        )


def _owners(
    spec: Spec, artifact: ArtifactForm, specs: Specs, accounts: Accounts
) -> Iterator[Fault]:
    owners = owners_of(specs.lineage(spec.name), accounts)
    if owners is None:
        return
    for line in artifact.install:
        asked = (("user", line.owner, owners.users), ("group", line.group, owners.groups))
        for what, name, known in asked:
            if name not in known:
                yield Fault(
                    spec.entry.place("artifacts", name),
                    f"'{line.to}' belongs to the {what} '{name}', which neither '{spec.name}' "
                    "nor an ancestor has",
                    did_you_mean(name, known - {_ROOT}, otherwise=f"add it to '{what}s'"),
                )


def _namesakes(
    spec: Spec, artifact: ArtifactForm, other: Spec, known: ArtifactForm
) -> Iterator[Fault]:
    """Yield a fault where two artifacts of one name are not the same: layers go by names."""
    place = spec.entry.place("artifacts", artifact.name)
    if spec is other and artifact is not known:
        yield Fault(
            place, f"'{spec.name}' has two artifacts '{artifact.name}'", "delete one of the two"
        )
    elif artifact != known:
        yield Fault(
            place,
            f"the artifact '{artifact.name}' is another one in '{other.name}'",
            f"write both alike (it stands at {other.entry.place('artifacts', artifact.name)}), "
            "or give one another name",
        )


def _repeated(spec: Spec, specs: Specs) -> Iterator[Fault]:
    own = {artifact.name for artifact in spec.artifacts}
    for ancestor in specs.lineage(spec.name)[1:]:
        for artifact in ancestor.artifacts:
            if artifact.name in own:
                yield Fault(
                    spec.entry.place("artifacts", artifact.name),
                    f"the artifact '{artifact.name}' is in '{ancestor.name}' already, "
                    f"on which '{spec.name}' stands",
                    "delete it here",
                )
