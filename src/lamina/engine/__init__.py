"""Images from units: the sandbox, the overlay, the installation, the delta."""
