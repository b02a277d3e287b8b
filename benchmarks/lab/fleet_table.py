"""Writes the tables of docs/fleet.md: all infra images built and tested, with their versions.

They are built in a store of its own that has nothing but the downloads of the usual one, so that
every image is built and every test is run. Both tables are what the commands print.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.lab.document import fill, require_places
from benchmarks.lab.ground import lamina, surroundings
from lamina.docs import page_of
from lamina.errors import NetworkError
from lamina.lock import read_lock
from lamina.model.catalog import Catalog
from lamina.model.image import Image, Kind
from lamina.model.lock import Lock, LockedImage
from lamina.pipeline import fleet
from lamina.plan import obstacles
from lamina.settings import Flags, Settings, read_settings

_DOCUMENT = Path(__file__).parents[2] / "docs" / "fleet.md"
_INFRA = ("--kind", Kind.INFRA)
# What an image without parent is made of; its packages are many, and none is the main one.
_DISTRIBUTION = "base-files"


def main() -> None:
    """Build and test the infra images, and write what came of it."""
    require_places(_DOCUMENT, ("versions", "build", "test"))
    settings = read_settings(Flags(), surroundings())
    catalog = fleet.load(settings)
    with _cold(settings) as cold:
        build = _printed(cold, "build", *_INFRA)
        test = _printed(cold, "test", *_INFRA)
    fill(
        _DOCUMENT,
        {
            "versions": _versions(catalog, read_lock(settings.lock)),
            "build": _console("lamina build --kind infra", build),
            "test": _console("lamina test --kind infra", test),
        },
    )


@contextmanager
def _cold(settings: Settings) -> Iterator[Settings]:
    """Give the settings a store with nothing in it but the usual one's downloads."""
    with TemporaryDirectory(prefix="fleet-", dir=settings.store.parent) as folder:
        store = Path(folder) / "store"
        store.mkdir()
        shutil.copy(settings.store / "format", store)
        downloads = [str(settings.store / "downloads"), str(store)]
        subprocess.run(["cp", "-a", "--reflink=auto", *downloads], check=True)
        yield replace(settings, store=store)


def _printed(settings: Settings, *words: str) -> str:
    """Return what lamina prints, but for what lies in the store; its progress is shown.

    An artifact that its publisher does not give here is shown as it is. Whatever else fails ends
    it all.
    """
    command = lamina(settings, *words)
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, NetworkError.exit_code):
        raise SystemExit(f"{done.stdout}\n{' '.join(words)}: exit code {done.returncode}")
    lines = [line for line in done.stdout.splitlines() if str(settings.store) not in line]
    return "\n".join(line for line in lines if not line.startswith("to go on:"))


def _console(command: str, printed: str) -> str:
    return f"```console\n$ {command}\n{printed}\n```"


def _versions(catalog: Catalog, lock: Lock) -> str:
    """Return the main package of every infra image that can be built, at its version."""
    blocked = obstacles(catalog)
    images = [
        image for image in catalog.images if image.kind is Kind.INFRA and image.id not in blocked
    ]
    lines = ["| Image | Package or artifact | Version |", "|---|---|---|"]
    for image in sorted(images, key=lambda image: image.id):
        page = f"families/{page_of(image.family)}#{image.id}"
        name, version = _main_package(image, lock)
        lines.append(f"| [{image.id}]({page}) | {name} | {version} |")
    newest = max(index.date for index in lock.indices)[:10]
    return "\n".join([*lines, "", f"{len(images)} images, from the packages of {newest}."])


def _main_package(image: Image, lock: Lock) -> tuple[str, str]:
    """Return the name and the version of what the image is about; empty where it is nothing.

    That is an artifact, if it has one. Of the packages that its entry asks for it is the one that
    is called most like the image; an image that asks for none is about its parent's, unless that
    is the root of all.
    """
    if image.artifacts:
        return image.artifacts[0].name, image.artifacts[0].version
    own, *ancestors = reversed(lock.line_of(lock.by_id()[image.id]))
    for locked in (own, *ancestors):
        if locked.parent is None:
            name = _DISTRIBUTION if locked is own else ""
        else:
            name = most_alike(image.id.name, locked.packages)
        if name:
            return name, _version(locked, name, lock)
    return "", ""


def most_alike(name: str, packages: Sequence[str]) -> str:
    """Return the package that is called most like an image, a server before its client."""
    alike = SequenceMatcher(None, name)

    def likeness(package: str) -> tuple[float, bool]:
        alike.set_seq2(package)
        return round(alike.ratio(), 2), package.endswith(("server", "d"))

    return max(sorted(packages), key=likeness, default="")


def _version(locked: LockedImage, name: str, lock: Lock) -> str:
    """Return the version of a package of the image or of what is below it.

    Empty where there is none of this name: a virtual package stands for another.
    """
    units = (unit for one in reversed(lock.line_of(locked)) for unit in lock.units_of(one))
    return next((unit.version for unit in units if unit.name == name), "")


if __name__ == "__main__":
    main()
