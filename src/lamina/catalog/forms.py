"""The forms of the catalogue's files: which keys there are, and what each of them takes.

What stands here is all that a single file can be checked for. The editors' JSON Schema is made
from the same forms, so each key has a description.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, StrictInt, Tag, with_config

from lamina.catalog.artifact_parts import ArtifactsByDistro
from lamina.catalog.changes import ChangeForm
from lamina.catalog.parts import (
    CLOSED,
    FileForm,
    Healthcheck,
    PackagesByDistro,
    RepositoriesByDistro,
)
from lamina.catalog.proofs import ProofForm
from lamina.catalog.texts import (
    AbsolutePath,
    AccountName,
    DistroWord,
    EachOnce,
    ImageName,
    Line,
    Port,
    RepositoryName,
    RunAs,
    SignalName,
    VariableName,
)
from lamina.model.cadence import Cadence
from lamina.model.catalog import Backend
from lamina.model.image import Kind, Type


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ImageForm:
    """One image of the fleet; what is absent comes from the parent, or is not there."""

    parent: Annotated[
        ImageName | None, Field(description="The image that this one is built on; only base none.")
    ] = None
    kind: Annotated[
        Kind | None, Field(description="`infra` or `openstack`; the folder's if absent.")
    ] = None
    types: Annotated[
        tuple[Type, ...],
        EachOnce,
        Field(description="How an openstack image is built: `binary`, `source` or both."),
    ] = ()
    summary: Annotated[Line, Field(description="One line about what the image is for.")] = ""
    aliases: Annotated[
        tuple[ImageName, ...],
        EachOnce,
        Field(description="Names that the image had before, and is still found by."),
    ] = ()
    user: Annotated[
        AccountName | None, Field(description="Short for `users` with a single one.")
    ] = None
    users: Annotated[
        tuple[AccountName, ...],
        EachOnce,
        Field(description="Users made, with the ids of `users.yaml`, before any package."),
    ] = ()
    groups: Annotated[
        tuple[AccountName, ...],
        EachOnce,
        Field(description="Groups made, with the ids of `users.yaml`, before any package."),
    ] = ()
    packages: Annotated[
        PackagesByDistro | None,
        Field(description="Packages to install: a list, or one for each distribution's word."),
    ] = None
    repositories: Annotated[
        RepositoriesByDistro | None,
        Field(description="Further repositories of the distribution that the image needs."),
    ] = None
    artifacts: Annotated[
        ArtifactsByDistro | None,
        Field(
            description="Release archives and programs of publishers: a list, or one for each "
            "distribution's word."
        ),
    ] = None
    files: Annotated[
        tuple[FileForm, ...], Field(description="Files of the catalogue to copy into the image.")
    ] = ()
    remove: Annotated[
        tuple[AbsolutePath, ...],
        EachOnce,
        Field(description="Globs of paths removed after the packages are configured."),
    ] = ()
    steps: Annotated[
        tuple[str, ...],
        Field(description="Shell commands run as root without network, as a last resort."),
    ] = ()
    run_as: Annotated[
        RunAs | None, Field(description="The user that a container runs as; inherited.")
    ] = None
    environment: Annotated[
        dict[VariableName, str],
        Field(
            description="Variables, added to the parent's. {name}, {type}, {distro}, "
            "{architecture} (amd64) and {machine} (x86_64) in a value stand for the image's own."
        ),
    ] = field(default_factory=dict)
    entrypoint: Annotated[
        tuple[str, ...] | None, Field(description="What a container starts, before `command`.")
    ] = None
    command: Annotated[
        tuple[str, ...] | None, Field(description="What a container runs if it is not told else.")
    ] = None
    volumes: Annotated[
        tuple[AbsolutePath, ...],
        EachOnce,
        Field(description="Directories whose content is not the image's, added to the parent's."),
    ] = ()
    ports: Annotated[
        tuple[Port, ...],
        EachOnce,
        Field(description="Ports that are listened on, added to the parent's."),
    ] = ()
    labels: Annotated[
        dict[Line, str],
        Field(
            description="Labels of the image, added to the parent's. What stands for something in "
            "`environment` does here too, and {date} for the day of the image's newest input."
        ),
    ] = field(default_factory=dict)
    stop_signal: Annotated[
        SignalName | None, Field(description="The signal that ends a container; inherited.")
    ] = None
    working_dir: Annotated[
        AbsolutePath | None, Field(description="The directory a container starts in; inherited.")
    ] = None
    healthcheck: Annotated[
        Healthcheck | None,
        Field(description="A command that tells whether a container works; inherited."),
    ] = None
    cadence: Annotated[
        Cadence | None,
        Field(
            description="How often the image is published once it has changed: `daily`, `weekly` "
            "or `on-change`; its kind's in `cadences.yaml` if absent."
        ),
    ] = None
    distros: Annotated[
        dict[DistroWord, Line],
        Field(description="Distributions that cannot have the image, each with the reason."),
    ] = field(default_factory=dict)
    test: Annotated[
        tuple[ProofForm, ...], Field(description="Proofs that the image's program works.")
    ] = ()


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedForm:
    """What a catalogue laid over another changes in an image of that."""

    change: Annotated[
        ChangeForm, Field(description="Changes to an image of the catalogue below this one.")
    ]


def _image_or_change(value: Any) -> str:
    return "<change>" if isinstance(value, dict) and "change" in value else "<image>"


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyForm:
    """A file of `infra/` or `openstack/`: the images of one family."""

    images: Annotated[
        dict[
            ImageName,
            Annotated[
                Annotated[ImageForm, Tag("<image>")] | Annotated[ChangedForm, Tag("<change>")],
                Discriminator(_image_or_change),
            ],
        ],
        Field(description="The family's images by name."),
    ]


# 0 is root, and the highest id means "nobody in particular" to system calls.
AccountId = Annotated[StrictInt, Field(ge=1, le=4_294_967_294)]


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class UserForm:
    """A user with the fixed ids that data on a deployment's volumes is owned by."""

    uid: Annotated[AccountId, Field(description="The user's id, of no other user.")]
    gid: Annotated[AccountId, Field(description="The id of the user's own group.")]
    group: Annotated[
        AccountName | None, Field(description="The user's own group; named as the user if absent.")
    ] = None
    home: Annotated[AbsolutePath, Field(description="The home directory.")]
    shell: Annotated[AbsolutePath, Field(description="The login shell.")] = "/usr/sbin/nologin"
    groups: Annotated[
        tuple[AccountName, ...], EachOnce, Field(description="Further groups of the user.")
    ] = ()


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsForm:
    """`users.yaml`: every user and group that an image may have."""

    users: Annotated[dict[AccountName, UserForm], Field(description="The users by name.")] = field(
        default_factory=dict
    )
    groups: Annotated[
        dict[AccountName, AccountId],
        Field(description="The ids of groups that are no user's own, by name."),
    ] = field(default_factory=dict)


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryForm:
    """A package repository, without the host that serves it."""

    suites: Annotated[
        tuple[str, ...],
        EachOnce,
        Field(min_length=1, description="The suites to use, such as `trixie`; only for deb."),
    ] = ()
    components: Annotated[
        tuple[str, ...],
        EachOnce,
        Field(min_length=1, description="The components to use, such as `main`; only for deb."),
    ] = ()
    keyring: Annotated[
        str,
        Field(
            min_length=1,
            description="The keys that sign it: an absolute path in the distribution's root, or "
            "an armoured key below the catalogue's `files/`.",
        ),
    ]
    default: Annotated[
        StrictBool, Field(description="Whether all images use it, not only those that ask.")
    ] = True
    security: Annotated[
        StrictBool,
        Field(description="Whether what it has cannot wait: its updates are published at once."),
    ] = False


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class DistroForm:
    """A file of `distros/`: a distribution at one release."""

    name: Annotated[DistroWord, Field(description="The name, as the file's: `debian-13`.")]
    short: Annotated[DistroWord, Field(description="The word in image names: `debian`.")]
    release: Annotated[Line, Field(description="The release's own name: `trixie`.")]
    fallback: Annotated[
        tuple[DistroWord, ...],
        EachOnce,
        Field(min_length=1, description="The words that entries know it by, most special first."),
    ]
    backend: Annotated[Backend, Field(description="What its packages are: `deb` or `rpm`.")]
    architectures: Annotated[
        tuple[Line, ...],
        EachOnce,
        Field(min_length=1, description="The architectures, by its own words; the first is usual."),
    ]
    repositories: Annotated[
        dict[RepositoryName, RepositoryForm],
        Field(min_length=1, description="Its package repositories by name."),
    ]
    untried: Annotated[
        Line, Field(description="Why nobody has built for it yet; absent once somebody has.")
    ] = ""


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class RuleForm:
    """What becomes of paths that must not be in an image."""

    glob: Annotated[AbsolutePath, Field(description="The paths.")]
    action: Annotated[
        Literal["remove", "empty", "undate"],
        Field(
            description="Remove the file, leave it empty, or take the times out of it, which must "
            "be a Java keystore."
        ),
    ]
    why: Annotated[Line, Field(description="Why it must not be in an image.")]


@with_config(CLOSED)
@dataclass(frozen=True, slots=True, kw_only=True)
class RulesForm:
    """`rules.yaml`: what becomes of paths that must not be in an image."""

    rules: Annotated[
        dict[DistroWord, tuple[RuleForm, ...]],
        Field(description="Rules by the word of the distributions that have them, or `any`."),
    ]
