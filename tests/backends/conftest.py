"""Backends are tested with packages written entry by entry, by `tests.backends.packages`."""
