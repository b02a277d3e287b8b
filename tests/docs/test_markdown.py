"""Markdown that shows every text as it is, read by a parser of its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from lamina.docs.markdown import anchor, code, codes, link, prose, table

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

# Mostly what has a meaning in Markdown.
texts = st.text(st.sampled_from("`*_[]()<>|&~\\#+-=.!: ab1\n\té\x1b"), min_size=1) | st.text(
    min_size=1
)
words = texts.filter(lambda text: "".join(text.split()) != "")


def inline(markdown: str) -> list[Token]:
    """Return what stands in a text that must be one paragraph."""
    blocks = PARSER.parse(markdown)
    assert [block.type for block in blocks] == ["paragraph_open", "inline", "paragraph_close"]
    return blocks[1].children or []


def shown(text: str) -> str:
    """Return what is to be seen of a text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@given(words)
def test_prose_is_shown_as_it_is(text: str) -> None:
    tokens = inline(prose(text))
    assert {token.type for token in tokens} <= {"text", "text_special"}
    assert "".join(token.content for token in tokens) == " ".join(shown(text).split())


@given(texts)
def test_code_is_shown_as_it_is(text: str) -> None:
    (token,) = inline(f"x {code(text)}")[1:]
    assert token.type == "code_inline"
    assert token.content == shown(text)


@given(words)
def test_a_cell_of_prose_stays_one_cell(text: str) -> None:
    tokens = PARSER.parse(table(("A", "B"), [(prose(text), "second")]))
    cells = [token.content for token in tokens if token.type == "inline"]
    assert (len(cells), cells[3]) == (4, "second")
    assert "".join(token.content for token in inline(cells[2])) == " ".join(shown(text).split())


@given(words)
def test_a_link_leads_to_its_page_whatever_it_is_called(text: str) -> None:
    opened, *between, _ = inline(link(text, f"{text}.md"))
    assert opened.type == "link_open"
    assert " " not in str(opened.attrs["href"])
    assert "".join(token.content for token in between) == " ".join(shown(text).split())


def test_a_heading_is_known_by_its_words() -> None:
    assert anchor("The family redis") == "the-family-redis"
    assert link("redis", "redis.md", "redis-base") == "[redis](redis.md#redis-base)"


def test_several_codes_have_commas_between_them() -> None:
    assert codes(["a", "b`c"]) == "`a`, ``b`c``"
