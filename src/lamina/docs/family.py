"""The page of a family: each of its images, and what they are called in registries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from shlex import join as command_line

from lamina.docs.entry import INDEX, Entry, page_of
from lamina.docs.markdown import code, codes, link, prose, table
from lamina.docs.proofs import proof
from lamina.model.catalog import Distro
from lamina.model.image import FileCopy, Group, Healthcheck, User
from lamina.model.names import Scheme, print_names
from lamina.model.offer import Offer, Release

_TAG = "TAG"


def family_page(family: str, entries: Sequence[Entry], distro: Distro) -> str:
    """Return the page of a family; its entries are in the order of their sections."""
    files = sorted({entry.image.place.rpartition(":")[0] for entry in entries})
    return "\n\n".join(
        [
            f"# The family {prose(family)}",
            f"{link('All images', f'{INDEX}.md')}. Written in {codes(files)}.",
            *(_section(entry) for entry in entries),
            "## Names",
            f"In a registry, with the tag {code(_TAG)}, by {code('lamina list --names')}:",
            _names(entries, distro),
        ]
    )


def _section(entry: Entry) -> str:
    image, runtime = entry.image, entry.image.runtime
    facts = [f"- {name}: {told}" for name, told in _facts(entry) if told]
    parts = [
        f"## {prose(entry.name)}",
        *([prose(image.summary)] if image.summary else []),
        "\n".join(facts),
    ]
    if image.tests:
        parts += [
            "Its tests prove:",
            "\n".join(f"- {proof(test, runtime)}" for test in image.tests),
        ]
    return "\n\n".join(parts)


def _facts(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of an image, in Markdown; what it does not have is empty."""
    image, runtime, inherited = entry.image, entry.image.runtime, entry.inherited
    parent = entry.parent
    yield "Kind", image.kind
    yield "Parent", link(parent.id.name, page_of(parent.family), parent.id.name) if parent else ""
    yield "Types", codes(type_.id.type for type_ in entry.types if type_.id.type)
    yield "Aliases", codes(image.aliases)
    yield "Packages", _by_distro(entry, lambda offer: codes(offer.packages))
    yield "Artifacts", _by_distro(entry, lambda offer: ", ".join(map(_release, offer.releases)))
    yield "Builds for", ", ".join(map(prose, entry.built_for)) or "none"
    yield "Not for", _grouped({who: prose(why) for who, why in entry.reasons.items()})
    yield "Makes users", ", ".join(_accounts(image.users, image.groups))
    yield "Runs as", code(runtime.user) if runtime.user else "root"
    if runtime.entrypoint != inherited.entrypoint:
        yield "Entrypoint", code(command_line(runtime.entrypoint))
    if runtime.command != inherited.command:
        yield "Command", code(command_line(runtime.command))
    yield "Ports", codes(runtime.ports)
    yield "Volumes", codes(runtime.volumes)
    yield "Environment", codes(_variables(entry))
    yield "Stops by", code(runtime.stop_signal) if runtime.stop_signal else ""
    yield "Health check", _healthcheck(runtime.healthcheck)
    yield "Files", "; ".join(_files(image.files))
    yield "Without", codes(image.remove)
    yield "Shell steps", str(len(image.steps)) if image.steps else ""


def _by_distro(entry: Entry, tell: Callable[[Offer], str]) -> str:
    """Return what distributions have, those together that have the same; once if it is all."""
    told = {who: tell(offer) for who, offer in entry.offers.items()}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return _grouped({who: text for who, text in told.items() if text})


def _release(release: Release) -> str:
    unchecked = "" if release.checked else " (pinned by the lock)"
    return f"{code(f'{release.name} {release.version}')} from {prose(release.source)}{unchecked}"


def _grouped(told: Mapping[str, str]) -> str:
    """Return what is told of distributions, each text once: `this (debian-12, debian-13)`."""
    texts = dict.fromkeys(told.values())
    return "; ".join(
        f"{text} ({', '.join(prose(who) for who, said in told.items() if said == text)})"
        for text in texts
    )


def _accounts(users: Iterable[User], groups: Iterable[Group]) -> Iterator[str]:
    for user in users:
        further = f", also in {codes(user.groups)}" if user.groups else ""
        yield f"{code(user.name)} ({user.uid}:{user.gid}{further})"
    for group in groups:
        yield f"group {code(group.name)} ({group.gid})"


def _variables(entry: Entry) -> list[str]:
    """Return the variables that the parent does not have, with the values of every type."""
    inherited = entry.inherited.environment
    values = {
        (name, value)
        for image in entry.types
        for name, value in image.runtime.environment.items()
        if inherited.get(name) != value
    }
    return [f"{name}={value}" for name, value in sorted(values)]


def _healthcheck(check: Healthcheck | None) -> str:
    return f"{code(command_line(check.command))}, every {check.interval} s" if check else ""


def _files(files: Iterable[FileCopy]) -> Iterator[str]:
    """Yield the files of the catalogue by their folder, with mode and owner."""

    def place(copy: FileCopy) -> tuple[str, int, str, str]:
        return copy.path.rpartition("/")[0], copy.mode, copy.owner, copy.group

    for (folder, mode, owner, group), copies in groupby(sorted(files, key=place), key=place):
        names = codes(sorted(copy.path.rpartition("/")[2] for copy in copies))
        yield f"in {code(f'{folder}/')} {names} ({mode:04o} {owner}:{group})"


def _names(entries: Iterable[Entry], distro: Distro) -> str:
    images = [image for entry in entries for image in entry.types]
    return table(
        ("Image", *(code(scheme) for scheme in Scheme)),
        (
            (
                prose(str(image.id)),
                *(codes(print_names(image, distro, scheme, tag=_TAG)) for scheme in Scheme),
            )
            for image in images
        ),
    )
