#!/usr/bin/python3 -IB
"""Make the image trust the certificates of authorities that a deployment mounts."""

import sys

# Isolated (-I): what runs as root takes no module from where its caller says.
sys.path.insert(0, "/usr/local/lib/kolla")

from kolla_contract.cacerts import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
