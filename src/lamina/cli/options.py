"""The options and arguments that commands have in common."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from lamina.errors import LaminaError, UsageError
from lamina.model.image import Kind
from lamina.model.lock import LAYER_BUDGET, MOST_LAYERS
from lamina.model.names import Scheme
from lamina.model.reference import Namespace
from lamina.model.selection import Selection
from lamina.model.spelling import did_you_mean
from lamina.pipeline import fleet
from lamina.settings import Flags, Settings, Surroundings, read_settings

F = TypeVar("F", bound=Callable[..., Any])
_FOLDER = click.Path(path_type=Path, file_okay=False)


def settings_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that every command has; it gets a `Settings` as `settings`."""

    @wraps(function)
    def command(
        *,
        catalogs: tuple[Path, ...],
        store: Path | None,
        lock_file: Path | None,
        distro: str | None,
        jobs: int | None = None,
        layer_budget: int | None = None,
        ca: Path | None = None,
        **others: Any,
    ) -> int:
        flags = Flags(
            catalogs=catalogs,
            store=store,
            lock=lock_file,
            distro=distro,
            jobs=jobs,
            layer_budget=layer_budget,
            ca=ca,
        )
        return function(settings=read_settings(flags, _surroundings()), **others)

    for option in (
        click.option(
            "--distro",
            metavar="NAME",
            shell_complete=_completed_distro,
            help="The distribution; debian-13 by default.",
        ),
        click.option(
            "--lock",
            "lock_file",
            metavar="FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The lock file; lamina.lock.json by default.",
        ),
        click.option(
            "--store",
            metavar="DIR",
            type=_FOLDER,
            help="The folder of downloads, units and images; ~/.local/share/lamina by default.",
        ),
        click.option(
            "--catalog",
            "catalogs",
            metavar="DIR",
            multiple=True,
            type=_FOLDER,
            help="A catalogue laid over the default one; can be given several times.",
        ),
    ):
        command = option(command)
    return command


def _surroundings() -> Surroundings:
    return Surroundings(
        environment=os.environ,
        folder=Path.cwd(),
        cores=len(os.sched_getaffinity(0)),
        machine=platform.machine(),
    )


def jobs_option(function: F) -> F:
    """Give a command that works on several images at a time the option that limits them."""
    return click.option(
        "--jobs",
        metavar="N",
        type=click.IntRange(min=1),
        help="How many images at a time; as many as there are cores by default.",
    )(function)


def layer_budget_option(function: F) -> F:
    """Give a command that decides on layers the option that says how many an image may have."""
    return click.option(
        "--layer-budget",
        metavar="N",
        type=click.IntRange(min=2, max=MOST_LAYERS),
        help=f"How many layers an image may have; as in the lock, else {LAYER_BUDGET}, by default.",
    )(function)


class _NamespaceType(click.ParamType[Namespace]):
    name = "namespace"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Namespace:
        """Read `REGISTRY/NAMESPACE`."""
        return value if isinstance(value, Namespace) else Namespace.parse(str(value))


class _SchemesType(click.ParamType[tuple[Scheme, ...]]):
    name = "schemes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Scheme, ...]:
        """Read schemes with commas between them."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        for word in words:
            if word not in tuple(Scheme):
                otherwise = f"the schemes are {', '.join(Scheme)}"
                raise UsageError.one(
                    f"no scheme '{word}'",
                    place="--names",
                    remedy=did_you_mean(word, Scheme, otherwise=otherwise),
                )
        return tuple(dict.fromkeys(map(Scheme, words)))


def namespace_option(flag: str, meaning: str, *, required: bool) -> Callable[[F], F]:
    """Give a command a namespace of a registry, which it gets as `namespace`, by this flag."""
    return click.option(
        flag,
        "namespace",
        metavar="REGISTRY/NAMESPACE",
        type=_NamespaceType(),
        required=required,
        help=meaning,
    )


def schemes_option(*usual: Scheme) -> Callable[[F], F]:
    """Give a command the schemes of names, `usual` by default, which it gets as `schemes`."""
    return click.option(
        "--names",
        "schemes",
        metavar="SCHEME,...",
        type=_SchemesType(),
        default=",".join(usual),
        show_default=True,
        help=f"How names are made up, the present way first: {', '.join(Scheme)}.",
    )


def ca_option(function: F) -> F:
    """Give a command that speaks to registries the option that says whom to trust there."""
    return click.option(
        "--ca",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Trust this certificate authority too, in PEM form.",
    )(function)


def json_option(function: F) -> F:
    """Give a command `--json`, which it gets as `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, for scripts; its form is stable."
    )(function)


def selection_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the selection of images, which it gets as a `Selection`, `selection`."""

    @wraps(function)
    def command(*, terms: tuple[str, ...], kind: str | None, **others: Any) -> int:
        selection = Selection(terms=terms, kind=Kind(kind) if kind else None)
        return function(selection=selection, **others)

    for option in (
        click.option(
            "--kind",
            type=click.Choice([kind.value for kind in Kind]),
            help="Of the selected images those of this kind only.",
        ),
        click.argument("terms", metavar="[SELECT]...", nargs=-1, shell_complete=_completed),
    ):
        command = option(command)
    return command


def image_argument(function: F) -> F:
    """Give a command one image, which it gets as the text `image`."""
    return click.argument("image", metavar="IMAGE", shell_complete=_completed)(function)


def _completed(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the images whose name begins with what is typed already."""

    def names(settings: Settings) -> Iterable[str]:
        return {image.id.name for image in fleet.load(settings).images}

    return _beginning(incomplete, context, names)


def _completed_distro(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the distributions whose name begins with what is typed already."""
    return _beginning(incomplete, context, fleet.distros)


def _beginning(
    incomplete: str, context: click.Context, names: Callable[[Settings], Iterable[str]]
) -> list[CompletionItem]:
    given = context.params
    flags = Flags(catalogs=tuple(given.get("catalogs") or ()), distro=given.get("distro"))
    try:
        found = sorted(names(read_settings(flags, _surroundings())))
    except LaminaError:
        return []  # a wrong catalogue is no reason to disturb somebody who types
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


SELECTION_HELP = (
    "Images are selected by name, by glob ('ceph-*'), by kind:infra, type:source or family:ceph, "
    "by @PROFILE of lamina.toml, and with all descendants by a + behind it (ovn-base+). "
    "Without a selection, all images are meant."
)
WRONG = "wrong usage, settings or catalogue"
