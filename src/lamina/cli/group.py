"""The group of all commands, each loaded when it is called."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any, Never

import click

from lamina import __version__
from lamina.cli.faults import exit_code_of
from lamina.errors import UsageError
from lamina.model.spelling import did_you_mean

# A command is `lamina.cli.NAME.command`. Its module is loaded when it is called, not for the
# list of commands, which needs click only.
COMMANDS = MappingProxyType(
    {
        "list": "List the images of the catalogue.",
        "tree": "Show images below their parents.",
        "graph": "Print the graph of images.",
        "lock": "Choose every package version for the fleet.",
        "plan": "Say what a build would do, and why.",
        "build": "Build what has changed.",
        "test": "Run the images' own tests.",
        "run": "Run a command in an image.",
        "export": "Hand images to a folder, an archive or a container engine.",
        "publish": "Send images to a registry, under all their names.",
        "names": "List old names of images, and remove expired ones.",
        "prune": "Delete what a registry keeps of former images.",
        "storage": "Report what images weigh and share.",
        "diff": "Show what changed between two states of an image.",
        "docs": "Write pages about the images of the catalogue.",
        "migrate": "Move consumers of the images to the fleet's names.",
        "ci": "Write a pipeline of continuous integration.",
        "gc": "Delete what no lock and no tag needs.",
        "schema": "Print the JSON Schema of catalogue files.",
        "completion": "Print a shell's completion script.",
    }
)

_HELP = """Build a whole fleet of container images from one catalogue.

Every package is unpacked once for the fleet, and configured once for each image by the
distribution's own tools.

\b
  lamina lock     choose every package version; writes lamina.lock.json
  lamina plan     what has changed, and what it means
  lamina build    build that

`lamina COMMAND --help` has examples.

Settings come from flags, else from the environment, else from lamina.toml in the current folder
(catalog, store, lock, distro, architecture, jobs, layer_budget, caches, mirrors,
profiles).

\b
  LAMINA_STORE            the folder of downloads, units and images
  LAMINA_CATALOG          catalogues laid over the default one, with ':' between them
  LAMINA_LOCK             the lock file
  LAMINA_DISTRO           the distribution
  LAMINA_ARCHITECTURE     the machine's architecture: amd64, arm64
  LAMINA_JOBS             how many images are built at a time
  LAMINA_LAYER_BUDGET     how many layers an image may have
  LAMINA_MIRROR_NAME      the address that serves the repository or place NAME
  REGISTRY_AUTH_FILE      the passwords of registries, where not those of container tools
  LAMINA_DEBUG            show the traceback of an error in lamina itself
"""


class _Lamina(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command's module, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"lamina.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"lamina.cli.{cmd_name}.command is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; refuse an unknown one with the nearest name."""
        name = args[0]
        if name in COMMANDS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        remedy = did_you_mean(name, COMMANDS, otherwise="`lamina --help` lists the commands")
        raise UsageError.one(f"no command '{name}'", place="lamina", remedy=remedy)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, **extra: Any) -> Never:
        """Run a command line, and exit with the code that says how it went."""
        words = extra.get("args") or (args[0] if args else None) or sys.argv[1:]
        extra["prog_name"] = "lamina"
        extra["standalone_mode"] = False
        extra["obj"] = tuple(words)
        sys.exit(exit_code_of(partial(super().main, *args, **extra), words))


@click.group(
    "lamina",
    cls=_Lamina,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "--version", message="lamina %(version)s")
def main() -> None:
    """Take nothing before the command's name."""
