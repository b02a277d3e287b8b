"""The images: as a table of all their sizes, and as a tree of what each adds to its parent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lamina.model.image import ImageId
from lamina.storage.page.markup import Content, Markup, element
from lamina.storage.page.tables import Column, Table, seconds, share, size, table
from lamina.storage.report import ImageStorage, Size, StorageReport

_COLUMNS = (
    Column(key="image", heading="Image", numbers=False),
    Column(key="apparent", heading="Apparent"),
    Column(key="exclusive", heading="Exclusive"),
    Column(key="shared", heading="Shared"),
    Column(key="amortised", heading="Amortised"),
    Column(key="own", heading="Packages"),
    Column(key="delta", heading="Changes"),
    Column(key="compressed", heading="Compressed"),
    Column(key="layers", heading="Layers"),
    Column(key="seconds", heading="Build"),
)
_WORDS = {
    "Apparent": "all layers of the image.",
    "Exclusive": "the layers that no other image has: what its removal would free.",
    "Shared": "the other ones.",
    "Amortised": "its part of every layer, divided among the images that have it.",
    "Packages": "what it installs over its parent.",
    "Changes": "configuration, users, generated files.",
    "Compressed": "all layers, as in a registry. All other sizes are uncompressed.",
    "Build": "how long its build took.",
}

Children = Mapping[ImageId | None, Sequence[ImageStorage]]


def image_table(report: StorageReport) -> Markup:
    """Return the table of images."""
    words = (
        part
        for word, meaning in _WORDS.items()
        for part in (element("dt", word), element("dd", meaning))
    )
    return element(
        "section",
        element("h2", "Images", id="images-heading"),
        table(
            Table(
                key="images",
                caption="What each image weighs",
                columns=_COLUMNS,
                rows=[_row(image) for image in report.images],
                foot=_fleet(report),
                filter_label="Filter images",
            )
        ),
        element("details", element("summary", "What the columns mean"), element("dl", *words)),
        aria_labelledby="images-heading",
    )


def image_tree(report: StorageReport) -> Markup:
    """Return the tree, each image with what it adds and what it has in all."""
    known = {image.id for image in report.images}
    children: dict[ImageId | None, list[ImageStorage]] = defaultdict(list)
    for image in report.images:
        # Of a part of the fleet, a parent may be missing.
        children[image.parent if image.parent in known else None].append(image)
    widest = max((image.apparent.uncompressed for image in report.images), default=0)
    return element(
        "section",
        element("h2", "Tree", id="tree-heading"),
        element(
            "p",
            "What each image adds to what it has from its parent, and what it is in all, "
            "uncompressed.",
        ),
        element(
            "ul",
            element("li", element("span", class_="swatch inherited"), "from its parent"),
            element("li", element("span", class_="swatch added"), "added"),
            class_="legend",
        ),
        _branch(children, None, widest),
        aria_labelledby="tree-heading",
    )


def _row(image: ImageStorage) -> Sequence[Content]:
    sizes = (image.apparent, image.exclusive, image.shared, image.amortised, image.own, image.delta)
    return (
        str(image.id),
        *(size(each.uncompressed) for each in sizes),
        size(image.apparent.compressed),
        image.layers,
        seconds(image.seconds),
    )


def _fleet(report: StorageReport) -> Sequence[Content]:
    """Return the sums; shared and exclusive layers of all images would be counted several times."""
    return (
        "Fleet",
        size(report.apparent.uncompressed),
        "",
        "",
        size(report.unique.uncompressed),
        "",
        "",
        size(report.apparent.compressed),
        len(report.layers),
        seconds(sum(image.seconds for image in report.images)),
    )


def _branch(children: Children, parent: ImageId | None, widest: int) -> Markup:
    below = children.get(parent, ())
    if not below:
        return Markup("")
    items = (
        element("li", _node(image, widest), _branch(children, image.id, widest)) for image in below
    )
    return element("ul", *items, class_="tree" if parent is None else None)


def _node(image: ImageStorage, widest: int) -> Markup:
    added = _added(image)
    inherited = max(image.apparent.uncompressed - added, 0)
    return element(
        "div",
        element("span", str(image.id), class_="name"),
        element(
            "span",
            element("span", class_="inherited", style=f"width:{share(inherited, widest)}"),
            element("span", class_="added", style=f"width:{share(added, widest)}"),
            class_="bar",
        ),
        element("span", "+ ", size(added), class_="number"),
        element("span", size(image.apparent.uncompressed), class_="number total"),
        class_="node",
    )


def _added(image: ImageStorage) -> int:
    own: Size = image.own + image.delta
    return min(own.uncompressed, image.apparent.uncompressed)
