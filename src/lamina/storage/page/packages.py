"""The packages as a treemap: area by bytes, colour by how many images have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.model.amounts import size_text
from lamina.storage.page.labels import PADDING, fitted, text_width
from lamina.storage.page.markup import Markup, element, join
from lamina.storage.page.squares import Box, squarify
from lamina.storage.page.tables import Column, Table, size, table
from lamina.storage.report import PackageStorage, StorageReport

_STEPS = (1, 2, 4, 8, 16)  # images: where each colour begins
_LINE = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """A treemap for one width of the page."""

    key: str
    width: float
    height: float
    shown: int  # so many packages have a box of their own


_DRAWINGS = (
    _Drawing(key="wide", width=1120.0, height=560.0, shown=400),
    _Drawing(key="narrow", width=360.0, height=520.0, shown=250),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    """What is written in and behind a box."""

    label: str
    title: str
    bytes: int
    colour: int  # 0 where several numbers of images are meant


def packages(report: StorageReport) -> Markup:
    """Return the treemap, its legend, and the same as a table."""
    there = [one for one in report.packages if one.size.uncompressed > 0]
    heading = element("h2", "Packages", id="packages-heading")
    if not there:
        return element("section", heading, element("p", "There are none."))
    whole = sum(one.size.uncompressed for one in there)
    return element(
        "section",
        heading,
        element(
            "p",
            f"{len(there)} packages, {size_text(whole)} when each is stored once. "
            "The larger a box, the more bytes; the stronger its colour, the more images share it.",
        ),
        _legend(there),
        *(_treemap(there, drawing) for drawing in _DRAWINGS),
        element(
            "details",
            element("summary", "All packages as a table"),
            _table(report.packages),
        ),
        aria_labelledby="packages-heading",
    )


def _treemap(there: Sequence[PackageStorage], drawing: _Drawing) -> Markup:
    tiles = _tiles(there, drawing.shown)
    boxes = squarify(
        [tile.bytes for tile in tiles],
        Box(x=0.0, y=0.0, width=drawing.width, height=drawing.height),
    )
    return element(
        "svg",
        element("title", "Treemap of packages by size; the table below has the same figures"),
        *(_drawn(tile, box) for tile, box in zip(tiles, boxes, strict=True)),
        role="img",
        class_=f"treemap {drawing.key}",
        viewBox=f"0 0 {drawing.width:.0f} {drawing.height:.0f}",
    )


def _tiles(there: Sequence[PackageStorage], shown: int) -> Sequence[_Tile]:
    """Return the tiles, largest first; the smallest packages share one."""
    ordered = sorted(there, key=lambda one: (-one.size.uncompressed, one.name, one.version))
    own, others = ordered[:shown], ordered[shown:]
    tiles = [
        _Tile(
            label=one.name,
            title=f"{one.name} {one.version}: {size_text(one.size.uncompressed)}, "
            f"in {_images(one.images)}",
            bytes=one.size.uncompressed,
            colour=_colour(one.images),
        )
        for one in own
    ]
    if others:
        rest = sum(one.size.uncompressed for one in others)
        label = f"{len(others)} smaller ones"
        tiles.append(_Tile(label=label, title=f"{label}: {size_text(rest)}", bytes=rest, colour=0))
    return sorted(tiles, key=lambda tile: -tile.bytes)


def _drawn(tile: _Tile, box: Box) -> Markup:
    rectangle = element("rect", x=box.x, y=box.y, width=box.width, height=box.height)
    return element(
        "g",
        element("title", tile.title),
        rectangle,
        _label(tile, box),
        class_=f"share-{tile.colour}",
        data_bytes=tile.bytes,
    )


def _label(tile: _Tile, box: Box) -> Markup:
    """Return the name, as much as the box has room for, and the size below it."""
    room = box.width - 2 * PADDING
    name = fitted(tile.label, room)
    if not name or box.height < _LINE + PADDING:
        return Markup("")
    x, y = box.x + PADDING, box.y + _LINE
    lines = [element("text", name, x=x, y=y)]
    text = size_text(tile.bytes)
    if box.height >= 2 * _LINE + PADDING and text_width(text) <= room:
        lines.append(element("text", text, x=x, y=y + _LINE, class_="small"))
    return join(*lines)


def _legend(there: Sequence[PackageStorage]) -> Markup:
    used = sorted({_colour(one.images) for one in there})
    return element(
        "ul",
        *(
            element("li", element("span", class_=f"swatch share-{step}"), _range(step))
            for step in used
        ),
        class_="legend",
    )


def _colour(images: int) -> int:
    """Return the step of colour, from 1."""
    return max(sum(images >= first for first in _STEPS), 1)


def _range(step: int) -> str:
    first = _STEPS[step - 1]
    if step == len(_STEPS):
        return f"{first} images and more"
    last = _STEPS[step] - 1
    return _images(first) if first == last else f"{first} to {last} images"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _table(there: Sequence[PackageStorage]) -> Markup:
    return table(
        Table(
            key="packages",
            caption="Packages, each stored once",
            columns=(
                Column(key="package", heading="Package", numbers=False),
                Column(key="version", heading="Version", numbers=False),
                Column(key="uncompressed", heading="Uncompressed"),
                Column(key="compressed", heading="Compressed"),
                Column(key="images", heading="Images"),
                Column(key="stored", heading="Layers"),
            ),
            rows=(
                (
                    one.name,
                    one.version,
                    size(one.size.uncompressed),
                    size(one.size.compressed),
                    one.images,
                    one.stored,
                )
                for one in there
            ),
            filter_label="Filter packages",
        )
    )
