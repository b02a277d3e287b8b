"""The layering room: which units of a fleet share a layer, decided from values alone."""

from lamina.layering.decision import make_layering
from lamina.layering.order import group_id
from lamina.layering.values import Content, Layering, Unit, lower_bound, stored_bytes

__all__ = [
    "Content",
    "Layering",
    "Unit",
    "group_id",
    "lower_bound",
    "make_layering",
    "stored_bytes",
]
