#!/usr/bin/python3 -IB
"""Print the keys and the map of a new cluster, for the deployment to bring to the other hosts.

A line of JSON, as modules of Ansible print it: `failed` with `msg`, or each file by its name, its
content compressed by zlib and in base64.
"""

import base64
import hashlib
import json
import sys
import zlib
from pathlib import Path

FOLDER = Path("/etc/ceph")
NAMES = (
    "ceph.client.admin.keyring",
    "ceph.client.mon.keyring",
    "ceph.client.radosgw.keyring",
    "ceph.monmap",
)


def packed(name: str) -> dict[str, str]:
    """Return one file, for transport."""
    content = (FOLDER / name).read_bytes()
    return {
        "filename": name,
        "content": base64.b64encode(zlib.compress(content)).decode(),
        # What older deployments compare.
        "sha1": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def main() -> int:
    """Print all files, or why they cannot be had."""
    try:
        files = {name: packed(name) for name in NAMES}
    except OSError as error:
        print(json.dumps({"failed": True, "changed": False, "msg": str(error)}))
        return 0  # who reads it looks at `failed`
    print(json.dumps({"failed": False, "changed": False, **files}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
