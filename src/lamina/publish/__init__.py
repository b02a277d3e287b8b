"""Publishing images to a registry: each blob sent once, every name put last."""

from lamina.publish.digests import check_file, digests_text, pinned
from lamina.publish.plan import check_content_tags, make_plan
from lamina.publish.values import (
    Blob,
    Holdings,
    Mount,
    Neighbour,
    Publication,
    PublishPlan,
    Tagging,
    Upload,
)

__all__ = [
    "Blob",
    "Holdings",
    "Mount",
    "Neighbour",
    "Publication",
    "PublishPlan",
    "Tagging",
    "Upload",
    "check_content_tags",
    "check_file",
    "digests_text",
    "make_plan",
    "pinned",
]
