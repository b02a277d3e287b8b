"""Ceph's start: what a new cluster begins with, the data of a monitor, an OSD on a disk."""

from __future__ import annotations

import base64
import json
import os
import stat
import zlib
from collections.abc import Mapping

import pytest
from tests.contract.conftest import Container
from tests.contract.extension import FILES, Extension, extension

pytestmark = pytest.mark.real

KEYS = [
    "ceph.client.admin.keyring",
    "ceph.client.mon.keyring",
    "ceph.client.radosgw.keyring",
]
HOST = {"HOSTNAME": "proof"}
NEW_CLUSTER = {**HOST, "KOLLA_BOOTSTRAP": "", "MON_IP": "192.0.2.1"}
DATA = "/var/lib/ceph/mon/ceph-proof"


@pytest.fixture
def monitor(container: Container) -> Extension:
    container.folder("/etc/ceph")
    extended = extension(container, "ceph/mon_extend_start")
    extended.program("ceph-conf", "echo an-fsid")
    extended.program("ceph-authtool", '[[ $1 != --create-keyring ]] || echo "$*" > "$2"')
    extended.program("monmaptool", 'echo new > "${@: -1}"')
    extended.program("ceph", "exit 1")  # no cluster answers
    extended.program("ceph-mon", _MKFS)
    return extended


_MKFS = """
while (($# > 0)); do
    case $1 in
        --mon-data) folder=$2 ;;
        --monmap) map=$2 ;;
    esac
    shift
done
cp "$map" "$folder/map"
touch "$folder/keyring"
"""


def test_a_new_cluster_begins_with_keys_and_a_map(monitor: Extension) -> None:
    monitor.start(environment=NEW_CLUSTER)

    made = sorted(path.name for path in monitor.container.path("/etc/ceph").iterdir())
    assert made == [*KEYS, "ceph.monmap"]
    assert monitor.calls[-1] == (
        "monmaptool --create --clobber --fsid an-fsid --add proof 192.0.2.1"
        " /etc/ceph/ceph.monmap.new"
    )


def test_the_monitors_know_every_key_of_a_new_cluster(monitor: Extension) -> None:
    monitor.start(environment=NEW_CLUSTER)

    imports = [call for call in monitor.calls if "--import-keyring" in call]
    assert imports == [
        f"ceph-authtool /etc/ceph/ceph.client.mon.keyring --import-keyring /etc/ceph/{name}"
        for name in ("ceph.client.admin.keyring", "ceph.client.radosgw.keyring")
    ]


def test_a_new_cluster_may_have_an_address_of_ipv6(monitor: Extension) -> None:
    monitor.start(environment={**NEW_CLUSTER, "MON_IP": "2001:db8::1"})

    assert r"--add proof \[2001:db8::1\] " in monitor.calls[-1]


def test_a_cluster_keeps_its_keys_when_it_is_begun_again(monitor: Extension) -> None:
    monitor.start(environment=NEW_CLUSTER)
    done = monitor.start(environment=NEW_CLUSTER)

    assert monitor.calls == []
    assert "the cluster is there already: /etc/ceph/ceph.monmap" in done.stdout


def test_a_beginning_that_was_broken_off_is_begun_anew(monitor: Extension) -> None:
    monitor.program("monmaptool", "exit 9")
    monitor.start(environment=NEW_CLUSTER, code=9)
    monitor.program("monmaptool", 'echo new > "${@: -1}"')

    monitor.start(environment=NEW_CLUSTER)

    assert monitor.container.path("/etc/ceph/ceph.monmap").read_text() == "new\n"


@pytest.mark.parametrize(
    ("lacking", "fault"), [("fsid", "ceph.conf has no fsid"), ("MON_IP", "MON_IP is required")]
)
def test_a_cluster_needs_an_id_and_an_address(lacking: str, fault: str, monitor: Extension) -> None:
    monitor.program("ceph-conf", "exit 1" if lacking == "fsid" else "echo an-fsid")
    variables = {name: value for name, value in NEW_CLUSTER.items() if name != lacking}

    done = monitor.start(environment=variables, code=1)

    assert done.stderr.splitlines()[-1] == f"kolla_extend_start: {fault}"
    assert list(monitor.container.path("/etc/ceph").iterdir()) == []


def begun(monitor: Extension) -> None:
    for name in (*KEYS, "ceph.monmap"):
        monitor.container.put(f"/etc/ceph/{name}", f"{name}\n")


def test_the_first_start_makes_the_data_of_a_monitor(monitor: Extension) -> None:
    begun(monitor)

    monitor.start(environment=HOST)

    assert monitor.calls[-2:] == [
        f"ceph-mon --mkfs --id proof --mon-data {DATA}.new --monmap /etc/ceph/ceph.monmap"
        " --keyring /etc/ceph/ceph.client.mon.keyring",
        "service",
    ]
    assert monitor.container.path(f"{DATA}/map").read_text() == "ceph.monmap\n"
    assert not monitor.container.path(f"{DATA}.new").exists()


def test_later_starts_leave_the_data_of_a_monitor(monitor: Extension) -> None:
    monitor.container.put(f"{DATA}/keyring")

    monitor.start(environment=HOST)

    assert monitor.calls == ["service"]


def test_a_monitor_that_joins_takes_the_map_of_the_cluster(monitor: Extension) -> None:
    begun(monitor)
    monitor.program("ceph", 'echo "of the cluster" > "${@: -1}"')

    monitor.start(environment=HOST)

    assert monitor.container.path(f"{DATA}/map").read_text() == "of the cluster\n"
    assert list(monitor.container.path("/tmp").iterdir()) == []


def test_data_that_lost_its_key_is_not_thrown_away(monitor: Extension) -> None:
    begun(monitor)
    store = monitor.container.put(f"{DATA}/store.db/000001.sst", "all there is")

    monitor.start(environment=HOST, code=1)

    assert store.read_text() == "all there is"
    assert "service" not in monitor.calls


def test_half_made_data_is_made_anew(monitor: Extension) -> None:
    begun(monitor)
    monitor.container.put(f"{DATA}.new/half")
    monitor.container.folder(DATA)

    monitor.start(environment=HOST)

    made = sorted(path.name for path in monitor.container.path(DATA).iterdir())
    assert made == ["keyring", "map"]


def fetched(container: Container) -> dict[str, object]:
    container.put("/fetch", (FILES / "ceph/fetch_ceph_keys.py").read_text(), mode=0o755)
    told = json.loads(container.run("/usr/bin/python3", "/fetch").stdout)
    assert isinstance(told, dict)
    return told


def test_a_deployment_fetches_the_keys_and_the_map(container: Container) -> None:
    for name in (*KEYS, "ceph.monmap"):
        container.put(f"/etc/ceph/{name}", f"{name}\0\n")

    told = fetched(container)

    assert (told.pop("failed"), told.pop("changed")) == (False, False)
    assert sorted(told) == [*KEYS, "ceph.monmap"]
    for name, file in told.items():
        assert isinstance(file, Mapping)
        assert file["filename"] == name
        assert zlib.decompress(base64.b64decode(file["content"])) == f"{name}\0\n".encode()
        assert (len(file["sha1"]), len(file["sha256"])) == (40, 64)


def test_keys_that_are_not_there_are_a_failure_of_the_fetch(container: Container) -> None:
    told = fetched(container)

    assert told["failed"] is True
    assert "/etc/ceph/ceph.client.admin.keyring" in str(told["msg"])


NEW_OSD = {
    **HOST,
    "KOLLA_BOOTSTRAP": "",
    "OSD_STORETYPE": "bluestore",
    "OSD_BS_DEV": "/disks/a",
    "OSD_BS_PARTNUM": "1",
}
FOLDER = "/var/lib/ceph/osd/ceph-3"
DISK_TYPE = "4fbd7e29-9d25-41b8-afd0-062c0ceff05d"


@pytest.fixture
def osd(container: Container) -> Extension:
    """An OSD among programs that note their calls, in a cluster that gives it the number 3."""
    extended = extension(container, "ceph/osd_extend_start")
    for name in ("partprobe", "wipefs", "mkfs.xfs", "mount", "umount", "ceph-osd"):
        extended.program(name)
    extended.program("sgdisk", _NAMED)
    extended.program("uuidgen", "echo a-uuid")
    extended.program("ceph", _CLUSTER)
    container.folder("/disks")
    for name in ("a", "a1", "a2", "b", "nvme0n1", "nvme0n1p1", "nvme0n1p2"):  # nobody opens them
        os.mknod(container.path(f"/disks/{name}"), stat.S_IFBLK | 0o600, os.makedev(7, 255))
    return extended


_NAMED = """
if [[ $1 == --change-name=* ]]; then
    mkdir -p /dev/disk/by-partlabel
    touch "/dev/disk/by-partlabel/${1#*:}"
fi
"""
_CLUSTER = """
case $* in
    "osd new"*) echo 3 ;;
    "osd crush ls"*) exit 2 ;;
esac
"""


def calls(osd: Extension, *programs: str) -> list[str]:
    """Return the calls of these programs."""
    return [call for call in osd.calls if call.split()[0] in programs]


def target(osd: Extension, link: str) -> str:
    return str(osd.container.path(f"{FOLDER}/{link}").readlink())


def test_a_new_osd_takes_its_disk(osd: Extension) -> None:
    osd.start(environment=NEW_OSD)

    name = "--change-name=2:KOLLA_CEPH_DATA_BS_3_B"
    assert calls(osd, "sgdisk", "wipefs", "mkfs.xfs", "mount", "ceph-osd", "umount") == [
        "sgdisk --zap-all -- /disks/a",
        "sgdisk --new=1:0:+512M --largest-new=0 -- /disks/a",
        "wipefs --all /disks/a1 /disks/a2",
        "mkfs.xfs -f /disks/a1",
        f"mount /disks/a1 {FOLDER}",
        f"sgdisk {name} --typecode=2:{DISK_TYPE} -- /disks/a",
        "ceph-osd --mkfs --mkkey --no-mon-config --id 3 --osd-uuid a-uuid"
        f" --osd-data {FOLDER} --osd-objectstore bluestore",
        f"umount {FOLDER}",
        f"sgdisk --change-name=1:KOLLA_CEPH_DATA_BS_3 --typecode=1:{DISK_TYPE} -- /disks/a",
    ]
    assert target(osd, "block") == "/dev/disk/by-partlabel/KOLLA_CEPH_DATA_BS_3_B"
    assert calls(osd, "service") == []


def test_a_new_osd_enters_the_cluster_at_its_host(osd: Extension) -> None:
    osd.start(environment={**NEW_OSD, "OSD_INITIAL_WEIGHT": "0.5"})

    assert calls(osd, "ceph") == [
        "ceph quorum_status",
        "ceph osd new a-uuid",
        r"ceph auth add osd.3 osd allow\ \* mon allow\ profile\ osd mgr allow\ profile\ osd"
        f" --in-file {FOLDER}/keyring",
        "ceph osd crush ls proof",
        "ceph osd crush add-bucket default root",
        "ceph osd crush add-bucket proof host",
        "ceph osd crush move proof root=default",
        "ceph osd crush add osd.3 0.5 host=proof",
    ]


def test_a_host_stays_where_the_cluster_has_it(osd: Extension) -> None:
    osd.program("ceph", 'case $* in "osd new"*) echo 3 ;; esac')

    osd.start(environment=NEW_OSD)

    assert calls(osd, "ceph")[-2:] == [
        "ceph osd crush ls proof",
        "ceph osd crush add osd.3 1 host=proof",
    ]


def test_an_osd_of_a_cache_has_a_root_of_its_own(osd: Extension) -> None:
    osd.start(environment={**NEW_OSD, "CEPH_CACHE": ""})

    assert calls(osd, "ceph")[-2:] == [
        "ceph osd crush move proof-cache root=cache",
        "ceph osd crush add osd.3 1 host=proof-cache",
    ]


def test_parts_of_the_store_may_lie_on_partitions_of_their_own(osd: Extension) -> None:
    parts = {"BLK": ("/disks/a", "2"), "WAL": ("/disks/nvme0n1", "1"), "DB": ("/disks/b", "7")}
    variables: dict[str, str] = {}
    for part, (disk, number) in parts.items():
        variables |= {f"OSD_BS_{part}_DEV": disk, f"OSD_BS_{part}_PARTNUM": number}

    osd.start(environment={**NEW_OSD, **variables})

    assert "--zap-all" not in "".join(osd.calls), "other partitions of the disk stay"
    assert calls(osd, "wipefs") == ["wipefs --all /disks/a1 /disks/a2"]
    named = [call.split()[1].partition("=")[2] for call in calls(osd, "sgdisk")]
    assert named == [
        "2:KOLLA_CEPH_DATA_BS_3_B",
        "1:KOLLA_CEPH_DATA_BS_3_W",
        "7:KOLLA_CEPH_DATA_BS_3_D",
        "1:KOLLA_CEPH_DATA_BS_3",
    ]
    for link, part in (("block", "B"), ("block.wal", "W"), ("block.db", "D")):
        assert target(osd, link) == f"/dev/disk/by-partlabel/KOLLA_CEPH_DATA_BS_3_{part}"


def test_a_partition_of_a_disk_whose_name_ends_with_a_digit_has_a_p(osd: Extension) -> None:
    osd.start(environment={**NEW_OSD, "OSD_BS_DEV": "/disks/nvme0n1", "OSD_BS_PARTNUM": "2"})

    assert calls(osd, "wipefs") == ["wipefs --all /disks/nvme0n1p2 /disks/nvme0n1p1"]


def test_an_osd_without_a_disk_stores_in_a_directory(osd: Extension) -> None:
    osd.container.put("/store/block").open("r+b").truncate(1 << 39)  # half a TiB, and empty

    osd.start(environment={**NEW_OSD, "OSD_BS_DEV": "/store", "OSD_INITIAL_WEIGHT": "auto"})

    assert "--osd-data /store " in calls(osd, "ceph-osd")[0]
    assert calls(osd, "sgdisk", "wipefs", "mkfs.xfs", "mount", "umount") == []
    assert calls(osd, "ceph")[-1] == "ceph osd crush add osd.3 0.50000 host=proof"


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("OSD_STORETYPE", "filestore", "OSD_STORETYPE is 'filestore'"),
        ("OSD_STORETYPE", "", "OSD_STORETYPE is ''"),
        ("OSD_BS_DEV", "/disks/c", "'/disks/c', is neither disk nor directory"),
        ("OSD_BS_DEV", "", "'', is neither disk nor directory"),
    ],
)
def test_nothing_is_touched_when_an_osd_cannot_be_made(
    variable: str, value: str, fault: str, osd: Extension
) -> None:
    done = osd.start(environment={**NEW_OSD, variable: value}, code=1)

    assert fault in done.stderr
    assert osd.calls == []


def test_no_disk_is_touched_before_the_cluster_answers(osd: Extension) -> None:
    osd.program("ceph", "exit 1")

    osd.start(environment=NEW_OSD, code=1)

    assert osd.calls == ["ceph quorum_status"]


def test_a_disk_that_failed_has_not_the_name_of_one_that_is_ready(osd: Extension) -> None:
    osd.program("ceph-osd", "exit 5")

    osd.start(environment=NEW_OSD, code=5)

    assert osd.calls[-1].startswith("ceph-osd --mkfs")


def test_a_partition_that_does_not_appear_is_named(osd: Extension) -> None:
    osd.program("sleep")  # nobody waits
    osd.container.path("/disks/a2").unlink()

    done = osd.start(environment=NEW_OSD, code=1)

    assert done.stderr == "kolla_extend_start: /disks/a2 does not appear\n"
    assert calls(osd, "wipefs", "mkfs.xfs", "mount", "ceph-osd") == []
    assert len(calls(osd, "sleep")) == 100


def test_an_osd_runs_by_its_number(osd: Extension) -> None:
    osd.start("service -f", environment={**HOST, "OSD_ID": "3", "OSD_STORETYPE": "bluestore"})

    assert osd.calls == ["service -f -i 3"]
