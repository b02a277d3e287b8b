"""What the catalogue says of one image, resolved for one distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lamina.model.artifact import Artifact
from lamina.model.cadence import Cadence
from lamina.model.digest import Digest


class Kind(StrEnum):
    """Whether an image is infrastructure or a part of OpenStack."""

    INFRA = "infra"
    OPENSTACK = "openstack"


class Type(StrEnum):
    """How OpenStack itself is installed; infra images have no type."""

    BINARY = "binary"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, order=True)
class ImageId:
    """An image of the fleet: its name, and for an openstack image its type.

    Printed as `cron` or `source-nova-api`. A catalogue name never starts with a type, so that
    the printed form has one reading only.
    """

    name: str
    type: Type | None = None

    def __str__(self) -> str:
        """Print the type, if any, before the name."""
        return f"{self.type}-{self.name}" if self.type else self.name

    @classmethod
    def parse(cls, text: str) -> ImageId:
        """Read the printed form back."""
        for type_ in Type:
            if text.startswith(f"{type_}-"):
                return cls(text.removeprefix(f"{type_}-"), type_)
        return cls(text)


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class User:
    """A user with the fixed ids that data on a deployment's volumes is owned by."""

    name: str
    uid: int
    gid: int
    group: str
    home: str
    shell: str = "/usr/sbin/nologin"
    groups: tuple[str, ...] = ()  # further groups; made with the ids of `users.yaml`


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Group:
    """A group with a fixed id."""

    name: str
    gid: int


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class FileCopy:
    """A file of the catalogue that is copied into an image."""

    path: str  # absolute, in the image
    source: str  # where the content lies on this machine
    digest: Digest  # of the content
    mode: int
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTest:
    """A command that shows that an image's program works, run in the sandbox."""

    run: tuple[str, ...]  # the command whose end decides
    start: tuple[str, ...] = ()  # a daemon that runs meanwhile; `run` is then tried again
    stdout: str = ""  # a regular expression to be found in what `run` prints
    exit: int = 0
    user: str = ""  # empty: the image's own user
    loopback: bool = False
    timeout: int = 60  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTest:
    """A start of the image as a deployment starts it, run in the sandbox."""

    config: str  # the text of config.json
    command: str  # what config.json starts
    healthcheck: tuple[str, ...]  # tried again until it succeeds
    files: Mapping[str, str] = field(default_factory=dict)  # beside config.json, by name
    environment: Mapping[str, str] = field(default_factory=dict)
    bootstrap: Mapping[str, str] = field(default_factory=dict)  # variables of a first run, if any
    prepare: tuple[str, ...] = ()  # run as root before everything else
    run: tuple[str, ...] = ()  # a command that asks the service
    stdout: str = ""  # a regular expression to be found in what `run` prints
    exit: int = 0  # of `run`
    user: str = ""  # who `run`s; empty: the image's own user
    runs_as: str = ""  # who the service is to be; empty: the image's own user
    stop: int = 10  # seconds from the stop signal to the end
    loopback: bool = False
    timeout: int = 60  # seconds, for each phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """A command that tells whether a container works; times in seconds."""

    command: tuple[str, ...]
    interval: int = 30
    timeout: int = 30
    retries: int = 3
    start_period: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An image's runtime configuration, as in OCI's image configuration."""

    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()  # `6379/tcp`
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""
    working_dir: str = ""
    healthcheck: Healthcheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of the fleet, everything resolved: lists final, files digested.

    `runtime` is the whole configuration, what the image inherits from its parent included.
    """

    id: ImageId
    kind: Kind
    family: str
    parent: ImageId | None
    summary: str = ""
    aliases: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()  # beyond those of the parent
    artifacts: tuple[Artifact, ...] = ()
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    files: tuple[FileCopy, ...] = ()
    remove: tuple[str, ...] = ()  # globs, absolute
    steps: tuple[str, ...] = ()  # shell, run as root without network
    runtime: Runtime = Runtime()
    tests: tuple[ImageTest | ServiceTest, ...] = ()
    cadence: Cadence = Cadence.WEEKLY
    unbuildable: str = ""  # why this distribution cannot have it
    place: str = ""  # FILE:LINE of its catalogue entry
