"""OCI images: trees of files, layers, configurations, and image layouts on disk."""
