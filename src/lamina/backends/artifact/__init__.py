"""Artifacts: release archives and programs of publishers, fetched, checked and made into units."""
