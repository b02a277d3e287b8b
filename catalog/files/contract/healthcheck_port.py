#!/usr/bin/python3 -IB
"""Tell whether a process is connected to a port."""

import sys

sys.path.insert(0, "/usr/local/lib/kolla")

from kolla_contract import health

if __name__ == "__main__":
    sys.exit(health.main(health.port, sys.argv[1:], "healthcheck_port PROCESS PORT"))
