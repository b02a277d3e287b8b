"""Reports and runs to be shown, and a reader of the page that comes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from lamina.model.digest import Digest
from lamina.model.image import ImageId
from lamina.model.run import Run, Step, Turn
from lamina.storage.report import (
    ImageStorage,
    LayerStorage,
    NodeStorage,
    PackageStorage,
    Size,
    StorageReport,
    WhatIf,
)

# Elements that have no end.
_VOID = {"input", "link", "meta"}


def both(uncompressed: int) -> Size:
    """A size that compresses to two fifths, and takes a little more on a disk."""
    return Size(
        uncompressed=uncompressed,
        compressed=uncompressed * 2 // 5,
        disk=uncompressed + uncompressed // 20,
    )


def image(name: str, parent: str | None, added: int, apparent: int) -> ImageStorage:
    return ImageStorage(
        id=ImageId.parse(name),
        family=name.partition("-")[0],
        parent=ImageId.parse(parent) if parent else None,
        layers=3,
        apparent=both(apparent),
        exclusive=both(added),
        shared=both(apparent - added),
        amortised=both(added + 10),
        own=both(added - 5),
        delta=both(5),
        seconds=added / 1000,
    )


def package(name: str, size: int, images: int, version: str = "1.0-1") -> PackageStorage:
    return PackageStorage(name=name, version=version, size=both(size), images=images, stored=1)


def what_if(name: str, title: str, uncompressed: int, bound: int) -> WhatIf:
    ratio = uncompressed / bound
    return WhatIf(
        name=name, title=title, size=both(uncompressed), ratio=ratio, compressed_ratio=ratio
    )


IMAGES = (
    image("base", None, 90_000, 90_000),
    image("cron", "base", 700, 90_700),
    image("mariadb-base", "base", 40_000, 130_000),
    image("mariadb-server", "mariadb-base", 25_000, 155_000),
    image("source-nova-api", "base", 60_000, 150_000),
)
PACKAGES = (
    package("libc6", 30_000, 5),
    package("mariadb-server", 25_000, 1),
    *(package(f"library-{number}", 20_000 - number * 37, number % 5 + 1) for number in range(500)),
)


def report(
    images: Sequence[ImageStorage] = IMAGES,
    packages: Sequence[PackageStorage] = PACKAGES,
    answer: str = "building infra once saves 40 %",
) -> StorageReport:
    """A report of a small fleet with many packages."""
    unique, bound = 220_000, 200_000
    return StorageReport(
        images=tuple(images),
        layers=tuple(
            LayerStorage(
                digest=Digest.of(str(number).encode()),
                size=both(1000),
                images=1,
                packages=(),
                delta_of=(),
            )
            for number in range(7)
        ),
        packages=tuple(packages),
        deltas=(),
        apparent=both(sum(one.apparent.uncompressed for one in images)),
        unique=both(unique),
        shared=both(130_000),
        lower_bound=both(bound),
        registry=89_000,
        node=NodeStorage(uncompressed=unique, disk=231_000),
        what_if=(
            what_if("squashed", "every image squashed into one layer", 615_700, bound),
            what_if("hierarchy", "a layer for each image over its parent", 250_000, bound),
            what_if("layered", "layers of packages: as it is", unique, bound),
            what_if("lower_bound", "every package once", bound, bound),
        ),
        answer=answer,
    )


def turn(name: str, parent: str | None, worker: int, began: float, ended: float) -> Turn:
    middle = (began + ended) / 2
    return Turn(
        image=ImageId.parse(name),
        parent=ImageId.parse(parent) if parent else None,
        worker=worker,
        began=began,
        ended=ended,
        outcome="built",
        steps=(Step(name="unpack", began=began), Step(name="layers", began=middle)),
    )


RUN = Run(
    started="2026-01-02T03:04:05Z",
    seconds=75.0,
    jobs=2,
    turns=(
        turn("base", None, 0, 5.0, 30.0),
        turn("mariadb-base", "base", 0, 30.1, 50.0),
        turn("source-nova-api", "base", 1, 30.1, 60.0),
        turn("mariadb-server", "mariadb-base", 0, 50.1, 74.5),
        turn("cron", "base", 1, 60.1, 61.0),
    ),
)


@dataclass(slots=True)
class Node:
    """An element of a page, with its text and the elements in it."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def walk(self) -> Iterator[Node]:
        """Yield this element and all below it, in their order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, tag: str) -> list[Node]:
        """Return the elements with this tag."""
        return [node for node in self.walk() if node.tag == tag]

    def by_id(self, id_: str) -> Node:
        """Return the element with this id."""
        (found,) = (node for node in self.walk() if node.attributes.get("id") == id_)
        return found

    @property
    def whole_text(self) -> str:
        """The text of this element and all below it."""
        return "".join((self.text, *(child.whole_text for child in self.children)))

    @property
    def value(self) -> str:
        """What a cell says to scripts: its exact number, or its text."""
        data = self.all("data")
        return (data[0].attributes["value"] or "") if data else self.whole_text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice: {attrs}"
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].text += data

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], "an element has no end"


def read(page: str) -> Node:
    """Return the page's elements; every one must have its end in the right place."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.root


def rows(table: Node) -> list[dict[str, str]]:
    """Return the rows of a sortable table, each cell's value by the key of its column."""
    (head,) = table.all("thead")
    keys = [cell.attributes["data-key"] or "" for cell in head.all("th")]
    (body,) = table.all("tbody")
    return [
        dict(zip(keys, (cell.value for cell in row.children), strict=True))
        for row in body.all("tr")
    ]
