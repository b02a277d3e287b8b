#!/usr/bin/python3 -IB
"""Tell whether a process has a UNIX socket open."""

import sys

sys.path.insert(0, "/usr/local/lib/kolla")

from kolla_contract import health

if __name__ == "__main__":
    sys.exit(health.main(health.socket, sys.argv[1:], "healthcheck_socket PROCESS SOCKET"))
