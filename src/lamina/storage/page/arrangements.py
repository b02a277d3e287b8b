"""The what-ifs as bars: what the same content would weigh in other layers."""

from __future__ import annotations

from collections.abc import Callable

from lamina.storage.page.markup import Markup, element
from lamina.storage.page.tables import TIMES, share, size
from lamina.storage.report import Size, StorageReport, WhatIf

_CLASSES = {"layered": "now", "lower_bound": "bound"}


def arrangements(report: StorageReport) -> Markup:
    """Return the bars, uncompressed and compressed, with a switch between them.

    The switch is style alone: without a script it works as well.
    """
    return element(
        "section",
        element("h2", "What if it were layered otherwise?", id="what-if"),
        element(
            "p",
            "The same packages and the same changes, in other layers. "
            "The line marks the lower bound: every package once, every image's own changes once.",
        ),
        element(
            "fieldset",
            element("legend", "Bytes"),
            _choice("uncompressed", "uncompressed", "as on a node", checked=True),
            _choice("compressed", "compressed", "as in a registry", checked=False),
            class_="switch",
        ),
        _bars(report, "uncompressed", lambda one: one.uncompressed, lambda one: one.ratio),
        _bars(report, "compressed", lambda one: one.compressed, lambda one: one.compressed_ratio),
        aria_labelledby="what-if",
        class_="what-if",
    )


def _choice(key: str, label: str, meaning: str, *, checked: bool) -> Markup:
    button = element("input", type="radio", name="bytes", id=f"show-{key}", checked=checked)
    return element("label", button, element("span", f"{label}, {meaning}"), for_=f"show-{key}")


def _bars(
    report: StorageReport,
    key: str,
    bytes_of: Callable[[Size], int],
    ratio_of: Callable[[WhatIf], float],
) -> Markup:
    longest = max((bytes_of(one.size) for one in report.what_if), default=0)
    bound = share(bytes_of(report.lower_bound), longest)
    rows = (
        element(
            "tr",
            element(
                "th",
                one.title,
                element(
                    "span",
                    element("span", style=f"width:{share(bytes_of(one.size), longest)}"),
                    class_="bar",
                ),
                scope="row",
            ),
            element("td", size(bytes_of(one.size)), class_="number"),
            element("td", f"{ratio_of(one):.2f} {TIMES}", class_="number"),
            data_what_if=one.name,
            class_=_CLASSES.get(one.name),
        )
        for one in report.what_if
    )
    heads = (
        element("th", "Arrangement", scope="col"),
        element("th", "Size", scope="col", class_="number"),
        element("th", "To lower bound", scope="col", class_="number"),
    )
    return element(
        "table",
        element("caption", f"What the fleet would weigh, {key}"),
        element("thead", element("tr", *heads)),
        element("tbody", *rows),
        class_=f"bars {key}",
        style=f"--bound:{bound}",
    )
