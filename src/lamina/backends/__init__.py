"""How packages become units: one module for each form of package."""

from lamina.model.catalog import Backend

BACKENDS: tuple[Backend, ...] = ("deb",)
"""The forms of packages that there is a module for."""
