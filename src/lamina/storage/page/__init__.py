"""The storage report as a page: one file, complete without network and without its script."""

from lamina.storage.page.page import make_page

__all__ = ["make_page"]
