"""The shared cache: images that another machine has built, by their keys, from a registry.

Beside an image lies its record under a tag made from its key: what the store of the machine that
built it knows of it. A manifest says nothing of keys, so it is the same whoever publishes it.
"""

from lamina.cache.agreement import Wanted
from lamina.cache.draw import draw_cached
from lamina.cache.find import Cache, Cached, Quest, find_cached
from lamina.cache.offer import offer_record
from lamina.cache.record import RECORD_TYPE, key_tag, record_artifact, recorded_manifest

__all__ = [
    "RECORD_TYPE",
    "Cache",
    "Cached",
    "Quest",
    "Wanted",
    "draw_cached",
    "find_cached",
    "key_tag",
    "offer_record",
    "record_artifact",
    "recorded_manifest",
]
