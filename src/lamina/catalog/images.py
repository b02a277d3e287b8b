"""Images made of specs: types expanded, runtime configuration and reasons inherited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from lamina.catalog.accounts import Accounts
from lamina.catalog.artifacts import make_artifacts
from lamina.catalog.forms import ImageForm
from lamina.catalog.parts import HealthcheckForm
from lamina.catalog.proofs import CommandProofForm, ServiceProofForm, config_text
from lamina.catalog.specs import Spec, Specs
from lamina.model.architecture import architecture_of, machine_of
from lamina.model.artifact import Artifact
from lamina.model.cadence import Cadence
from lamina.model.catalog import Distro
from lamina.model.image import (
    FileCopy,
    Group,
    Healthcheck,
    Image,
    ImageId,
    ImageTest,
    Kind,
    Runtime,
    ServiceTest,
    User,
)

TYPE_WORD = "{type}"
"""What stands for the image's type in a value of its environment or labels."""

Copies = Mapping[str, tuple[FileCopy, ...]]


def make_images(
    specs: Specs,
    accounts: Accounts,
    copies: Copies,
    distro: Distro,
    cadences: Mapping[Kind, Cadence],
) -> tuple[Image, ...]:
    """Return the images of `specs`, which have no faults: parents before children, else by name.

    `copies` are the files of each image, by the name of its spec.
    `cadences` are those of images that have none of their own.
    """
    images: dict[ImageId, Image] = {}
    for spec in _parents_first(specs):
        made = _own(specs.lineage(spec.name), accounts, make_artifacts(spec, accounts, distro))
        for id_ in _ids(spec):
            parent = images[_parent_id(specs, spec, id_)] if spec.form.parent else None
            images[id_] = _image(id_, spec, parent, made, copies[spec.name])
    return tuple(
        replace(
            image,
            # Filled last: a word that is inherited means the image that inherits it.
            runtime=_filled(image, distro),
            unbuildable=specs.obstacle(image.id.name),
            cadence=specs.by_name[image.id.name].form.cadence or cadences[image.kind],
        )
        for image in images.values()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What an image has of its own: users and groups that no ancestor has, and artifacts."""

    users: tuple[User, ...]
    groups: tuple[Group, ...]
    artifacts: tuple[Artifact, ...]


def _parents_first(specs: Specs) -> Iterator[Spec]:
    by_depth = {name: len(specs.lineage(name)) for name in specs.by_name}
    for name in sorted(specs.by_name, key=lambda name: (by_depth[name], name)):
        yield specs.by_name[name]


def _ids(spec: Spec) -> tuple[ImageId, ...]:
    if spec.kind is Kind.INFRA:
        return (ImageId(spec.name),)
    return tuple(ImageId(spec.name, type_) for type_ in sorted(spec.form.types))


def _parent_id(specs: Specs, spec: Spec, id_: ImageId) -> ImageId:
    parent = specs.by_name[spec.form.parent or ""]
    return ImageId(parent.name, None if parent.kind is Kind.INFRA else id_.type)


def _image(
    id_: ImageId, spec: Spec, parent: Image | None, made: _Made, files: tuple[FileCopy, ...]
) -> Image:
    form = spec.form
    runtime = _runtime(form, parent.runtime if parent else Runtime())
    return Image(
        id=id_,
        kind=spec.kind,
        family=spec.entry.family,
        parent=parent.id if parent else None,
        summary=form.summary,
        aliases=form.aliases,
        packages=spec.packages,
        repositories=spec.repositories,
        artifacts=made.artifacts,
        users=made.users,
        groups=made.groups,
        files=files,
        remove=form.remove,
        steps=form.steps,
        runtime=runtime,
        tests=tuple(_test(test, runtime) for test in form.test),
        place=spec.entry.place(),
    )


def _own(lineage: tuple[Spec, ...], accounts: Accounts, artifacts: tuple[Artifact, ...]) -> _Made:
    own, *ancestors = lineage
    inherited = [accounts.users[name] for each in ancestors for name in each.form.users]
    known = {user.name for user in inherited}
    users = tuple(accounts.users[name] for name in own.form.users if name not in known)
    # A user's own group comes with the user; only further groups are made alone.
    there = {user.group for user in (*inherited, *users)}
    there |= {name for user in inherited for name in user.groups}
    there |= {name for each in ancestors for name in each.form.groups}
    wanted = (*own.form.groups, *(name for user in users for name in user.groups))
    groups = dict.fromkeys(name for name in wanted if name not in there)
    return _Made(
        users=users,
        groups=tuple(accounts.groups[name] for name in groups),
        artifacts=artifacts,
    )


def _runtime(form: ImageForm, parent: Runtime) -> Runtime:
    """Return the configuration as a container builder inherits it (OCI image specification).

    Its volumes and ports are mappings there, so they add up as environment and labels do.
    """
    return Runtime(
        user=parent.user if form.run_as is None else form.run_as,
        environment={**parent.environment, **form.environment},
        entrypoint=parent.entrypoint if form.entrypoint is None else form.entrypoint,
        command=parent.command if form.command is None else form.command,
        volumes=_joined(parent.volumes, form.volumes),
        ports=_joined(parent.ports, form.ports),
        labels={**parent.labels, **form.labels},
        stop_signal=form.stop_signal or parent.stop_signal,
        working_dir=form.working_dir or parent.working_dir,
        healthcheck=_healthcheck(form) or parent.healthcheck,
    )


def _filled(image: Image, distro: Distro) -> Runtime:
    """Return the image's configuration with the words that differ from build to build."""
    words = {
        TYPE_WORD: image.id.type or "",
        "{name}": image.id.name,
        "{distro}": distro.short,
        "{architecture}": architecture_of(distro.architecture),
        "{machine}": machine_of(distro.architecture),
    }

    def fill(values: Mapping[str, str]) -> Mapping[str, str]:
        filled = dict(values)
        for word, meaning in words.items():
            filled = {name: text.replace(word, meaning) for name, text in filled.items()}
        return filled

    runtime = image.runtime
    return replace(runtime, environment=fill(runtime.environment), labels=fill(runtime.labels))


def _joined(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _healthcheck(form: ImageForm) -> Healthcheck | None:
    match form.healthcheck:
        case None:
            return None
        case HealthcheckForm() as check:
            return Healthcheck(
                command=check.command,
                interval=check.interval,
                timeout=check.timeout,
                retries=check.retries,
                start_period=check.start_period,
            )
        case command:
            return Healthcheck(command=command)


def _test(form: CommandProofForm | ServiceProofForm, runtime: Runtime) -> ImageTest | ServiceTest:
    match form:
        case CommandProofForm():
            return ImageTest(
                run=form.run,
                start=form.start or (),
                stdout=form.stdout,
                exit=form.exit,
                user=form.user or "",
                loopback=form.loopback,
                timeout=form.timeout,
            )
        case ServiceProofForm():
            own = runtime.healthcheck.command if runtime.healthcheck else ()
            return ServiceTest(
                config=config_text(form.config),
                command=form.config.command,
                healthcheck=form.healthcheck or own,
                files=form.files,
                environment=form.environment,
                bootstrap=form.bootstrap or {},
                prepare=form.prepare or (),
                run=form.run or (),
                stdout=form.stdout,
                exit=form.exit,
                user=form.user or "",
                runs_as=form.runs_as or "",
                stop=form.stop,
                loopback=form.loopback,
                timeout=form.timeout,
            )
        case _:
            assert_never(form)
