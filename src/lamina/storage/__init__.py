"""What the fleet's storage is made of: pure functions from built images to a report."""

from lamina.storage.report import ImageStorage, Size, StorageReport, make_report

__all__ = ["ImageStorage", "Size", "StorageReport", "make_report"]
