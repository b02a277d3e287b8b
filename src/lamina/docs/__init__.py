"""Pages about the catalogue's images, in Markdown."""

from lamina.docs.folder import Written, write_pages
from lamina.docs.pages import MARK, make_pages

__all__ = ["MARK", "Written", "make_pages", "write_pages"]
