"""What the fleet's storage is made of: pure functions from built images to a report."""

from lamina.storage.assembly import make_report
from lamina.storage.deltas import median_size
from lamina.storage.fleet import DeltaFile, Fleet, Line, Squash, own_deltas, size_of
from lamina.storage.known import Known
from lamina.storage.limits import Limits, exceeded, parse_size
from lamina.storage.page import make_page
from lamina.storage.report import (
    DeltaPart,
    DeltaStorage,
    ImageStorage,
    LayerStorage,
    NodeStorage,
    PackageStorage,
    Size,
    StorageReport,
    WhatIf,
)
from lamina.storage.squash import squash_deltas
from lamina.storage.update import LayerUpdate, Update, make_update
from lamina.storage.what_if import needed_squashes

__all__ = [
    "DeltaFile",
    "DeltaPart",
    "DeltaStorage",
    "Fleet",
    "ImageStorage",
    "Known",
    "LayerStorage",
    "LayerUpdate",
    "Limits",
    "Line",
    "NodeStorage",
    "PackageStorage",
    "Size",
    "Squash",
    "StorageReport",
    "Update",
    "WhatIf",
    "exceeded",
    "make_page",
    "make_report",
    "make_update",
    "median_size",
    "needed_squashes",
    "own_deltas",
    "parse_size",
    "size_of",
    "squash_deltas",
]
