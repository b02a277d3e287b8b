"""Pages about the catalogue's images, in Markdown."""

from lamina.docs.entry import page_of
from lamina.docs.folder import Written, write_pages
from lamina.docs.pages import MARK, make_pages

__all__ = ["MARK", "Written", "make_pages", "page_of", "write_pages"]
