"""An OSD of Ceph, made and run as a deployment does it, in a cluster with a real monitor.

The catalogue's own test of `ceph-osd` has no monitor: that is another image's program.
"""

from __future__ import annotations

import os

import pytest
from tests.whole.conftest import Fleet

pytestmark = pytest.mark.real

OVERLAY = """
images:
  osd-proof:
    parent: ceph-osd
    packages: [ceph-base, ceph-mon]
    test:
      - prepare:
          - bash
          - -euc
          - |
            cp /var/lib/kolla/config_files/ceph.conf /etc/ceph/
            admin=/etc/ceph/ceph.client.admin.keyring
            ceph-authtool --create-keyring $admin --gen-key --name client.admin \\
                --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
            cp $admin /tmp/keyring
            ceph-authtool /tmp/keyring --gen-key --name mon. --cap mon 'allow *'
            monmaptool --create --add proof 127.0.0.1 --fsid $(ceph-conf --lookup fsid) /tmp/map
            ceph-mon --mkfs --id proof --monmap /tmp/map --keyring /tmp/keyring
            ceph-mon --id proof
            mkdir /var/lib/ceph/osd/ceph-0
        config:
          command: /usr/bin/ceph-osd -f --public-addr 127.0.0.1 --cluster-addr 127.0.0.1
          config_files:
            - source: /var/lib/kolla/config_files/ceph.conf
              dest: /etc/ceph/ceph.conf
              owner: ceph
              perm: "0600"
        files:
          ceph.conf: |
            [global]
            fsid = 2bbe1f4c-2a6b-4f0b-9b0e-1f2d3c4b5a69
            mon initial members = proof
            mon host = 127.0.0.1
            auth cluster required = cephx
            auth service required = cephx
            auth client required = cephx
            bluestore block size = 1073741824
            osd crush update on start = false
        environment: {HOSTNAME: proof, OSD_ID: "0", OSD_STORETYPE: bluestore}
        bootstrap:
          KOLLA_BOOTSTRAP: ""
          OSD_BS_DEV: /var/lib/ceph/osd/ceph-0
          OSD_INITIAL_WEIGHT: auto
        healthcheck: [healthcheck_socket, ceph-osd, /var/run/ceph/ceph-osd.0.asok]
        run: [bash, -euc, "ceph osd tree; ceph osd stat"]
        stdout: "(?s)0[.]0009[0-9] +host proof.*osd[.]0 +up .* 1 up .* 1 in "
        loopback: true
"""


@pytest.mark.skipif(
    os.environ.get("LAMINA_DIFFERENTIAL") != "all",
    reason="builds large images: `make differential` does",
)
def test_an_osd_is_made_and_runs_in_a_cluster(fleet: Fleet) -> None:
    fleet.write(OVERLAY)
    fleet.lamina("lock")
    assert fleet.build("osd-proof")["osd-proof"] == "built", "its service test has passed"
