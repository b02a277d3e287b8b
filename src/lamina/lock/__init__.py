"""The lock room: every choice of a fleet's packages, made once and written down."""

from lamina.lock.artifacts import new_sights, unpinned_images
from lamina.lock.assembly import installed_units, make_lock
from lamina.lock.comparison import LayerChange, LockChange, PackageChange, compare_locks
from lamina.lock.difference import check_lock, needed
from lamina.lock.file import lock_text, read_lock, write_lock
from lamina.lock.fleet import Source, lock_fleet
from lamina.lock.request import buildable, catalog_digest, request_digest, used_repositories

__all__ = [
    "LayerChange",
    "LockChange",
    "PackageChange",
    "Source",
    "buildable",
    "catalog_digest",
    "check_lock",
    "compare_locks",
    "installed_units",
    "lock_fleet",
    "lock_text",
    "make_lock",
    "needed",
    "new_sights",
    "read_lock",
    "request_digest",
    "unpinned_images",
    "used_repositories",
    "write_lock",
]
