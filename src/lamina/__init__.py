"""lamina builds a whole fleet of container images from one catalogue."""

__version__ = "0.1.0"
