#!/usr/bin/python3 -IB
"""Tell whether an address answers without an error."""

import sys

sys.path.insert(0, "/usr/local/lib/kolla")

from kolla_contract import health

if __name__ == "__main__":
    sys.exit(health.main(health.curl, sys.argv[1:], "healthcheck_curl URL"))
