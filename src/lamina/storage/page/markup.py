"""Markup that escapes whatever is not markup itself."""

from __future__ import annotations

from html import escape

_VOID = frozenset({"input", "link", "meta"})


class Markup(str):
    """A text that is HTML or SVG already."""

    __slots__ = ()


Content = str | int | Markup


def element(tag: str, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """Return an element; what is not `Markup` is escaped, in its content and its attributes.

    In attributes' names `_` stands for `-`, and one at the end is dropped: `class_`, `aria_sort`.
    An attribute that is True has no value; one that is None or False is left out.
    """
    head = tag + "".join(_attribute(name, value) for name, value in attributes.items())
    return Markup(f"<{head}>" if tag in _VOID else f"<{head}>{join(*content)}</{tag}>")


def join(*content: Content) -> Markup:
    """Return the contents one after the other, what is not `Markup` escaped."""
    return Markup("".join(c if isinstance(c, Markup) else escape(str(c)) for c in content))


def number(value: float) -> str:
    """Return a coordinate or percentage with no more digits than can be seen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{escape(number(value) if isinstance(value, float) else str(value))}"'
