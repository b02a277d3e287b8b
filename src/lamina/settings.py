"""What a run works with: a flag beats the environment, which beats `lamina.toml`."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

from lamina.errors import Fault, UsageError
from lamina.model.architecture import architecture_of
from lamina.model.lock import LAYER_BUDGET, MOST_LAYERS
from lamina.model.reference import Namespace
from lamina.model.spelling import did_you_mean
from lamina.registry import Access, access_of

FILE = "lamina.toml"
_MIRROR = "LAMINA_MIRROR_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a run works with."""

    catalogs: tuple[Path, ...]  # laid over the default catalogue in this order
    store: Path
    lock: Path
    distro: str
    architecture: str  # by any distribution's word: `amd64`
    jobs: int  # how many images are built at a time
    mirrors: Mapping[str, str]  # repository name to the address that serves it
    profiles: Mapping[str, tuple[str, ...]]  # name to the selection terms it stands for
    caches: tuple[Namespace, ...] = ()  # asked in this order; trusted with images
    layer_budget: int | None = None  # layers of one image; None: those that the lock is made for
    docker_host: str = ""  # where Docker's daemon listens; empty: where it does by default
    access: Access = field(default_factory=Access)  # to registries


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the command line gave; empty where it gave nothing."""

    catalogs: tuple[Path, ...] = ()
    store: Path | None = None
    lock: Path | None = None
    distro: str | None = None
    jobs: int | None = None
    layer_budget: int | None = None
    ca: Path | None = None  # of registries


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What lamina was started in, as far as settings depend on it."""

    environment: Mapping[str, str]
    folder: Path
    cores: int
    machine: str  # as the kernel calls it: `x86_64`


def read_settings(flags: Flags, surroundings: Surroundings) -> Settings:
    """Return the settings for a run in these surroundings.

    Raises `UsageError` with every fault of `lamina.toml` or of the environment.
    """
    file = _read_file(surroundings.folder / FILE)
    given = {name: value for name, value in surroundings.environment.items() if value}
    paths = given.get("LAMINA_CATALOG", "").split(os.pathsep)
    from_environment = tuple(Path(path) for path in paths if path)
    folder = surroundings.folder
    store = flags.store or given.get("LAMINA_STORE") or file.store or _data_home(given)
    catalogs = flags.catalogs or from_environment or file.catalog
    machine = architecture_of(surroundings.machine)
    return Settings(
        catalogs=tuple(folder / catalog for catalog in catalogs),
        store=folder / store,
        lock=folder / (flags.lock or given.get("LAMINA_LOCK") or file.lock),
        distro=flags.distro or given.get("LAMINA_DISTRO") or file.distro,
        architecture=given.get("LAMINA_ARCHITECTURE") or file.architecture or machine,
        jobs=flags.jobs or _jobs(given) or file.jobs or surroundings.cores,
        layer_budget=flags.layer_budget or _layer_budget(given) or file.layer_budget,
        mirrors=dict(file.mirrors) | _mirrors(given),
        profiles=file.profiles,
        caches=file.caches,
        docker_host=given.get("DOCKER_HOST", ""),
        access=access_of(given, ca=flags.ca),
    )


def _namespace(value: object) -> Namespace:
    if not isinstance(value, str):
        raise ValueError("input should be a text")  # pydantic knows no other
    try:
        return Namespace.parse(value)
    except UsageError as error:
        raise ValueError(f"{value}: {error.faults[0].message}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The keys of `lamina.toml`; paths are relative to its folder."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    catalog: tuple[Path, ...] = ()
    store: Path | None = None
    lock: Path = Path("lamina.lock.json")
    distro: str = "debian-13"
    architecture: str = ""
    jobs: Annotated[int, Field(gt=0)] | None = None
    layer_budget: Annotated[int, Field(gt=1, le=MOST_LAYERS)] | None = None
    caches: tuple[Annotated[Namespace, PlainValidator(_namespace)], ...] = ()
    mirrors: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_KEYS = tuple(entry.name for entry in fields(_File))


def _read_file(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _File()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError.one(f"cannot be read: {error}", place=path.name) from error
    try:
        return TypeAdapter(_File).validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(_syntax_fault(str(error))) from error
    except ValidationError as error:
        found = error.errors(include_url=False)
        faults = sorted({_fault(one["loc"], one["type"], one["msg"], text) for one in found})
        raise UsageError(*faults) from error


def _syntax_fault(message: str) -> Fault:
    """Move the line number from the end of the parser's message to its place."""
    reason, _, position = message.partition(" (at ")
    line = re.search(r"line (\d+)", position)
    return Fault(f"{FILE}:{line[1]}" if line else FILE, f"not TOML: {reason.lower()}")


def _fault(location: tuple[int | str, ...], kind: str, message: str, text: str) -> Fault:
    keys = [str(part) for part in location if isinstance(part, str) and part in text]
    place = f"{FILE}:{_line(text, keys)}"
    if kind != "unexpected_keyword_argument":
        reason = message.replace("tuple", "list").removeprefix("Value error, ")
        return Fault(place, f"{'.'.join(keys)}: {reason[:1].lower()}{reason[1:]}")
    remedy = did_you_mean(keys[-1], _KEYS, otherwise=f"the keys are {', '.join(_KEYS)}")
    return Fault(place, f"unknown key '{keys[-1]}'", remedy)


def _line(text: str, keys: list[str]) -> int:
    """Return the line where the keys are written, one below the other; 1 where it is not seen."""
    lines = text.splitlines()
    at = 0
    for key in keys:
        written = re.compile(rf"""[\s\[{{,."']*{re.escape(key)}["']?\s*[=.\]]""")
        at = next((n for n in range(at, len(lines)) if written.match(lines[n])), at)
    return at + 1


def _data_home(environment: Mapping[str, str]) -> Path:
    if base := environment.get("XDG_DATA_HOME"):
        return Path(base) / "lamina"
    if home := environment.get("HOME"):
        return Path(home) / ".local" / "share" / "lamina"
    raise UsageError.one(
        "there is no place for the store: HOME is not set",
        remedy="give --store DIR or set LAMINA_STORE",
    )


def _jobs(environment: Mapping[str, str]) -> int | None:
    text = environment.get("LAMINA_JOBS")
    if text is None:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise UsageError.one(
            f"not a number above zero: '{text}'",
            place="LAMINA_JOBS",
            remedy="unset it to build as many images at a time as there are cores",
        )
    return int(text)


def _layer_budget(environment: Mapping[str, str]) -> int | None:
    text = environment.get("LAMINA_LAYER_BUDGET")
    if text is None:
        return None
    if not text.isdecimal() or not 1 < int(text) <= MOST_LAYERS:
        raise UsageError.one(
            f"not a number from 2 to {MOST_LAYERS}: '{text}'",
            place="LAMINA_LAYER_BUDGET",
            remedy=f"unset it for the budget of the lock, or of {LAYER_BUDGET} layers",
        )
    return int(text)


def _mirrors(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the mirrors of the environment: `LAMINA_MIRROR_A_B` is that of `a-b`."""
    return {
        name.removeprefix(_MIRROR).lower().replace("_", "-"): address
        for name, address in environment.items()
        if name.startswith(_MIRROR)
    }
