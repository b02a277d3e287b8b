"""Tables that can be sorted by every column and filtered, once the page's script has run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lamina.model.amounts import size_text, time_text
from lamina.storage.page.markup import Content, Markup, element, join, number

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its key for scripts, its heading, and whether it holds numbers."""

    key: str
    heading: str
    numbers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose rows have one cell for each column; the first cell names the row."""

    key: str
    caption: Content
    columns: Sequence[Column]
    rows: Iterable[Sequence[Content]]
    foot: Sequence[Content] = ()  # a last row that stays where it is
    filter_label: str = ""  # of the field that filters by the first column, if there is to be one


def size(value: int) -> Markup:
    """Return a number of bytes, for people, with the exact one for scripts."""
    return element("data", size_text(value), value=value)


def seconds(value: float) -> Markup:
    """Return a span of time, as `size` returns bytes."""
    return element("data", time_text(value), value=round(value, 3))


def table(content: Table) -> Markup:
    """Return the table, which scrolls by itself where it is wider than the page."""
    caption_key = f"{content.key}-caption"
    heads = (
        element("th", column.heading, scope="col", data_key=column.key, class_=_class(column))
        for column in content.columns
    )
    body = (_row(content.columns, row) for row in content.rows)
    foot = element("tfoot", _row(content.columns, content.foot)) if content.foot else ""
    whole = element(
        "table",
        element("caption", content.caption, id=caption_key),
        element("thead", element("tr", *heads)),
        element("tbody", *body),
        foot,
        id=content.key,
        data_sortable=True,
    )
    # Who uses the keyboard must be able to scroll it too.
    scroller = element(
        "div", whole, class_="scroller", role="region", tabindex=0, aria_labelledby=caption_key
    )
    return join(_filter(content), scroller)


def share(part: float, whole: float) -> str:
    """Return a part as a percentage for styles; 0 where there is nothing."""
    return f"{number(100 * part / whole if whole else 0.0)}%"


def _filter(content: Table) -> Markup:
    if not content.filter_label:
        return Markup("")
    field = element(
        "input", type="search", autocomplete="off", spellcheck="false", data_filter=content.key
    )
    # Of no use without the script, which shows it.
    return element(
        "p",
        element("label", element("span", content.filter_label), field),
        element("output", aria_live="polite"),
        class_="filter",
        hidden=True,
    )


def _row(columns: Sequence[Column], cells: Sequence[Content]) -> Markup:
    first, *others = cells
    return element(
        "tr",
        element("th", first, scope="row"),
        *(
            element("td", cell, class_=_class(column))
            for column, cell in zip(columns[1:], others, strict=True)
        ),
    )


def _class(column: Column) -> str | None:
    return "number" if column.numbers else None
