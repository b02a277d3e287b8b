"""Pipelines of continuous integration that build, test and publish the fleet."""

from lamina.ci.cadence import schedule_of
from lamina.ci.folder import Comparison, compare_files, read_files, write_files
from lamina.ci.grouping import Groups, fits, make_groups
from lamina.ci.pipeline import System, make_files, read_groups
from lamina.ci.request import Request

__all__ = [
    "Comparison",
    "Groups",
    "Request",
    "System",
    "compare_files",
    "fits",
    "make_files",
    "make_groups",
    "read_files",
    "read_groups",
    "schedule_of",
    "write_files",
]
