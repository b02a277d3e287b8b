"""The names in the runtime contract that lamina itself must know: docs/runtime-contract.md."""

from __future__ import annotations

INIT = "dumb-init"  # the first process, which holds the others
START = "kolla_start"  # what prepares a container, and becomes its command
CONFIG_FOLDER = "/var/lib/kolla/config_files"
CONFIG = "config.json"
STRATEGY = "KOLLA_CONFIG_STRATEGY"
COPY_ALWAYS = "COPY_ALWAYS"
