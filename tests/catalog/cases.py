"""Cases of catalogues: folders in, what the loader makes of them out.

A case folder of `tests/cases/catalog/` has

- `catalog/`: files laid over those of `_common`, which has a distribution, users and `base`;
- `overlay/` and `second/`, if any: catalogues laid over that one, in this order;
- `distro` and `architecture`, if they are not the usual ones;
- `expected`: every fault, or all images.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from lamina.catalog import load_catalog
from lamina.errors import LaminaError
from lamina.model.catalog import Catalog
from lamina.model.digest import Digest

CASES = Path(__file__).parent.parent / "cases" / "catalog"


def case_names() -> list[str]:
    """Return the names of all cases."""
    return sorted(case.name for case in CASES.iterdir() if not case.name.startswith("_"))


def expected(name: str) -> str:
    """Return what is to become of the case."""
    return (CASES / name / "expected").read_text()


def outcome(name: str, scratch: Path) -> str:
    """Return what becomes of the case when its folders are loaded from a copy in `scratch`."""
    case = CASES / name
    catalog = scratch / "catalog"
    shutil.copytree(CASES / "_common", catalog)
    if (case / "catalog").is_dir():
        shutil.copytree(case / "catalog", catalog, symlinks=True, dirs_exist_ok=True)
    folders = [catalog, *(case / over for over in ("overlay", "second") if (case / over).is_dir())]
    try:
        loaded = load_catalog(
            folders,
            _word(case / "distro") or "debian-13",
            architecture=_word(case / "architecture"),
        )
    except LaminaError as error:
        return f"{type(error).__name__}\n{error}\n"
    text = "\n".join(_lines(loaded)) + "\n"
    return text.replace(str(scratch), "").replace(str(case), "")


def _word(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None


def _lines(catalog: Catalog) -> Iterator[str]:
    yield f"{catalog.distro.name} {catalog.distro.architecture}"
    for repository in catalog.distro.repositories:
        yield f"  {_text(repository)}".replace("\n", "|")
    for rule in catalog.distro.rules:
        yield f"  {_text(rule)}"
    if catalog.sources:
        yield f"  sources: {_text(catalog.sources)}"
    for image in catalog.images:
        yield ""
        yield f"{image.id} ({image.kind} of {image.family}, below {image.parent}) {image.place}"
        yield from _fields(image, "  ", skip=("id", "kind", "family", "parent", "place"))


def _fields(value: object, indent: str, skip: Iterable[str] = ()) -> Iterator[str]:
    """Yield a line for every field that has something in it."""
    assert is_dataclass(value)
    for field in fields(value):
        content = getattr(value, field.name)
        if field.name == "runtime":
            yield from _fields(content, indent)
        elif content and field.name not in skip:
            yield f"{indent}{field.name}: {_text(content)}"


def _text(value: object) -> str:
    match value:
        case Digest():
            return value.short
        case tuple():
            return "[" + ", ".join(_text(item) for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"
    if not is_dataclass(value):
        return str(value)
    words = ((field.name, getattr(value, field.name)) for field in fields(value))
    shown = (
        f"{name}={_text(oct(word) if name == 'mode' and word is not None else word)}"
        for name, word in words
    )
    return "(" + " ".join(shown) + ")"
