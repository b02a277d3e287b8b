"""Debian packages: solved by apt, unpacked once, installed by dpkg from husks."""
