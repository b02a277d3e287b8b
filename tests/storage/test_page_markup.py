"""Markup: what is not markup already is escaped, wherever it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.storage.pages import read

from lamina.storage.page.markup import Markup, element, join, number


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (element("p", "a < b & c"), "<p>a &lt; b &amp; c</p>"),
        (element("p", element("b", "x"), 1), "<p><b>x</b>1</p>"),
        (element("a", title="\"x\" & 'y'"), '<a title="&quot;x&quot; &amp; &#x27;y&#x27;"></a>'),
        (element("p", Markup("<b>x</b>")), "<p><b>x</b></p>"),
        (element("input", type="search", hidden=True), '<input type="search" hidden>'),
        (element("td", class_=None, hidden=False), "<td></td>"),
        (element("th", aria_sort="none", data_key=0), '<th aria-sort="none" data-key="0"></th>'),
        (element("rect", x=1.5, y=2.0, width=1 / 3), '<rect x="1.5" y="2" width="0.33"></rect>'),
        (join("<", element("b"), 2), "&lt;<b></b>2"),
    ],
)  # fmt: skip
def test_elements_are_written_so(made: Markup, text: str) -> None:
    assert made == text


@given(st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"])))
def test_every_text_is_read_as_it_was_given(text: str) -> None:
    (node,) = read(element("p", text, title=text)).children

    assert (node.text, node.attributes, node.children) == (text, {"title": text}, [])


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (100.0, "100"), (0.004, "0"), (12.346, "12.35"), (10.5, "10.5")]
)
def test_numbers_have_no_more_digits_than_can_be_seen(value: float, text: str) -> None:
    assert number(value) == text
