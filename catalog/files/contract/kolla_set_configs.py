#!/usr/bin/python3 -IB
"""Put the configuration that a deployment mounts in its place, and note the command to run."""

import sys

# Isolated (-I): what runs as root takes no module from where its caller says.
sys.path.insert(0, "/usr/local/lib/kolla")

from kolla_contract.set_configs import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
