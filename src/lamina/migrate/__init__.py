"""The stage that moves consumers' files to the fleet's names: read, planned, written, checked."""
