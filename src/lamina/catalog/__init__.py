"""The catalogue: YAML files in, valid images for one distribution out."""

from lamina.catalog.folder import default_folder
from lamina.catalog.load import distro_names, load_catalog, load_distro, load_offers
from lamina.catalog.schema import json_schema

__all__ = [
    "default_folder",
    "distro_names",
    "json_schema",
    "load_catalog",
    "load_distro",
    "load_offers",
]
