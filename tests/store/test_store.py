"""The store: made, shared, healed, and usable whatever was killed when."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lamina.errors import Fault, StoreError
from lamina.model.built import Built, Inputs, Layer
from lamina.model.digest import Digest
from lamina.model.image import ImageId, Type
from lamina.oci.claims import claimed_folder, locked
from lamina.oci.descriptor import GZIP_LAYER_TYPE, REF_NAME
from lamina.store.store import Store

CRON = ImageId("cron")
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def put(store: Store, image: ImageId = CRON, version: str = "1") -> Built:
    """Put an image of one small layer into the store, and record it."""
    blob = f"layer of {image} {version}".encode()
    config = f"config of {image} {version}".encode()
    manifest = f"manifest of {image} {version}".encode()
    for content in (blob, config, manifest):
        store.layout.write_blob(content)
    inputs = Inputs(
        engine=1,
        codec="gzip",
        parent=None,
        calls=Digest.of(version.encode()),
        layers=Digest.of(b"layers"),
        units={},
        files={},
        entry=Digest.of(str(image).encode()),
    )
    built = Built(
        id=image,
        key=inputs.key(),
        inputs=inputs,
        parent=None,
        manifest=Digest.of(manifest),
        manifest_size=len(manifest),
        config=Digest.of(config),
        units=(),
        trees={},
        layers=(
            Layer(
                diff_id=Digest.of(b"tar"),
                digest=Digest.of(blob),
                size=len(blob),
                apparent=10_240,
                disk=8_192,
                media_type=GZIP_LAYER_TYPE,
            ),
        ),
        own_layers=1,
        epoch=0,
        seconds=1.5,
    )
    with store.work_folder() as work:
        (work / "upper").mkdir()
        store.keep_delta(work / "upper", built.manifest)
    store.save_built(built)
    return built


def names(store: Store) -> list[str]:
    return [descriptor.annotations[REF_NAME] for descriptor in store.layout.index()]


def test_a_store_is_made_and_opened_again(tmp_path: Path) -> None:
    made = Store.open(tmp_path / "deep" / "store")
    built = put(made)
    assert Store.open(made.root).find_built(built.key) == built
    assert (made.root / "oci" / "oci-layout").is_file()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(StoreError, match="something else than a store"):
        Store.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_store_half_made_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / "format.new").write_text("")
    Store.open(tmp_path)
    assert (tmp_path / "format").read_text() == "2\n"


def test_a_store_of_another_format_is_told_with_a_remedy(store: Store) -> None:
    (store.root / "format").write_text("1\n")
    with pytest.raises(StoreError, match="format '1'") as caught:
        Store.open(store.root)
    assert "--store" in caught.value.faults[0].remedy


def test_a_store_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        Store.open(tmp_path / "file")


@pytest.mark.real
def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    script = f"""
mount -t tmpfs -o ro tmpfs {tmp_path}
exec {sys.executable} -c '
from pathlib import Path
from lamina.errors import StoreError
from lamina.store.store import Store
try:
    Store.open(Path("{tmp_path}/store"))
except StoreError as error:
    print(error)
'
"""
    told = in_namespace(script)
    assert "is not writable" in told
    assert "give another store" in told


@pytest.mark.real
def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    script = f"""
mount -t tmpfs -o size=1m tmpfs {tmp_path}
exec {sys.executable} -c '
from pathlib import Path
from lamina.errors import StoreError
from lamina.store.store import Store
store = Store.open(Path("{tmp_path}/store"))
for number in range(2):
    try:
        store.layout.write_blob(bytes(3_000_000))
    except StoreError as error:
        print(error)
    print(len(store.layout.blobs()), len(list((store.root / "oci/unfinished").iterdir())))
store.layout.write_blob(bytes(300_000))
print("room again")
'
"""
    told = in_namespace(script)
    assert told.count(f"no space left in the store ({tmp_path}/store/oci)") == 2
    assert told.count("`lamina gc`") == 2
    assert told.count("0 0\n") == 2
    assert told.endswith("room again\n")


def in_namespace(script: str) -> str:
    """Run a script in a mount namespace of its own, and return what it prints."""
    source = Path(__file__).parents[2] / "src"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", script],
        env={**os.environ, "PYTHONPATH": str(source)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_a_full_disk_in_a_work_folder_is_told(store: Store) -> None:
    with pytest.raises(StoreError, match="no space left in the store"), store.work_folder():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_other_errors_in_a_work_folder_pass(store: Store) -> None:
    with pytest.raises(FileNotFoundError), store.work_folder() as work:
        (work / "missing").read_text()


def test_an_image_is_found_by_its_key(store: Store) -> None:
    built = put(store)
    assert store.find_built(built.key) == built
    assert store.find_built(Digest.of(b"another key")) is None
    assert store.read_current("debian-13").images == {}


def test_a_tagged_image_is_current_in_its_distribution_only(store: Store) -> None:
    built = put(store)
    store.tag("debian-13", built, ["debian-cron"], {"kind": "infra"})
    current = store.read_current("debian-13")
    assert current.images == {CRON: built}
    assert current.faults == ()
    assert store.read_current("debian-12").images == {}


def test_the_index_says_what_an_image_is(store: Store) -> None:
    built = replace(put(store, ImageId("nova-api", Type.SOURCE)), parent=Digest.of(b"parent"))
    store.tag("debian-13", built, ["b", "a", "a"], {"kind": "openstack", "lock": "sha256:x"})
    first, second = store.layout.index()
    assert names(store) == ["a", "b"]
    assert first.digest == second.digest == built.manifest
    assert {**first.annotations, REF_NAME: ""} == {
        REF_NAME: "",
        "org.lamina.distro": "debian-13",
        "org.lamina.image": "source-nova-api",
        "org.lamina.key": str(built.key),
        "org.lamina.kind": "openstack",
        "org.lamina.lock": "sha256:x",
        "org.lamina.parent": str(Digest.of(b"parent")),
        "org.lamina.type": "source",
    }


def test_a_new_image_takes_over_all_names_of_the_old_one(store: Store) -> None:
    old, new = put(store, version="1"), put(store, version="2")
    other = put(store, ImageId("chrony"))
    store.tag("debian-13", old, ["debian-cron", "debian-binary-cron"], {})
    store.tag("debian-13", other, ["debian-chrony"], {})
    store.tag("debian-12", old, ["old-cron"], {})
    store.tag("debian-13", new, ["debian-cron"], {})
    assert names(store) == ["debian-chrony", "debian-cron", "old-cron"]
    assert store.read_current("debian-13").images == {CRON: new, ImageId("chrony"): other}


def test_images_of_one_name_and_different_types_are_different(store: Store) -> None:
    images = {id_: put(store, id_) for id_ in (ImageId("x"), ImageId("x", Type.SOURCE))}
    for id_, built in images.items():
        store.tag("d", built, [str(id_)], {})
    assert store.read_current("d").images == images


DAMAGES: dict[str, tuple[Callable[[Store, Built], object], str]] = {
    "a missing record": (
        lambda store, built: store.records.path(built.key).unlink(),
        "its record is missing",
    ),
    "a damaged record": (
        lambda store, built: store.records.path(built.key).write_bytes(b"{}"),
        "the record of the image is damaged",
    ),
    "a record of another": (
        lambda store, built: store.records.path(built.key).write_bytes(
            store.records.path(put(store, version="9").key).read_bytes()
        ),
        "the record is that of key",
    ),
    "a missing manifest": (
        lambda store, built: store.layout.blob_path(built.manifest).unlink(),
        "is missing",
    ),
    "a missing configuration": (
        lambda store, built: store.layout.blob_path(built.config).unlink(),
        "is missing",
    ),
    "a missing layer": (
        lambda store, built: store.layout.blob_path(built.layers[0].digest).unlink(),
        "is missing",
    ),
    "a cut layer": (
        lambda store, built: os.truncate(store.layout.blob_path(built.layers[0].digest), 3),
        "is damaged",
    ),
    "a missing delta": (
        lambda store, built: store.delta_path(built.manifest).rmdir(),
        "its delta is missing",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_image_counts_as_not_there_and_is_told(
    store: Store, damage: Callable[[Store, Built], object], message: str
) -> None:
    built, whole = put(store), put(store, ImageId("whole"))
    store.tag("d", built, ["cron"], {})
    store.tag("d", whole, ["whole"], {})
    damage(store, built)
    found = store.find_built(built.key)
    assert found is None or isinstance(found, Fault)
    current = store.read_current("d")
    assert current.images == {ImageId("whole"): whole}
    (fault,) = current.faults
    assert fault.place == "cron"
    assert message in fault.message
    # Built again, it is whole again.
    put(store)
    assert store.find_built(built.key) == built


def test_a_damaged_index_is_told_and_costs_no_tag(store: Store) -> None:
    built = put(store)
    store.tag("d", built, ["cron"], {})
    (store.layout.root / "index.json").write_bytes(b"\0" * 40)
    current = store.read_current("d")
    assert current.images == {CRON: built}
    assert "the index was damaged" in current.faults[0].message
    Store.open(store.root)
    assert store.read_current("d").faults == ()


def test_an_index_without_a_good_copy_is_told_and_tagging_mends_it(store: Store) -> None:
    built = put(store)
    store.tag("d", built, ["cron"], {})
    for name in ("index.json", "index.copy"):
        (store.layout.root / name).write_bytes(b"\0" * 40)
    current = store.read_current("d")
    assert current.images == {}
    assert "not an OCI image index" in current.faults[0].message
    store.tag("d", built, ["cron"], {})
    assert store.read_current("d").images == {CRON: built}


def test_descriptors_of_other_tools_do_not_disturb(store: Store) -> None:
    built = put(store)
    store.tag("d", built, ["cron"], {})
    index = store.layout.root / "index.json"
    raw = json.loads(index.read_bytes())
    foreign = {**raw["manifests"][0], "annotations": {REF_NAME: "foreign"}}
    index.write_text(json.dumps({**raw, "manifests": [*raw["manifests"], foreign]}))
    assert store.read_current("d").images == {CRON: built}
    store.tag("d", built, ["cron"], {})
    assert names(store) == ["cron", "foreign"]


def test_a_work_folder_goes_with_its_block(store: Store) -> None:
    with store.work_folder() as work:
        (work / "a").mkdir()
        Store.open(store.root)  # another process starts
        assert (work / "a").is_dir()
    assert not work.exists()


def test_a_work_folder_is_not_made_while_the_dead_are_swept(store: Store) -> None:
    made = threading.Event()

    def work() -> None:
        with store.work_folder():
            made.set()

    thread = threading.Thread(target=work)
    with locked(store.root / "work"):  # as a sweep does while it looks who is dead
        thread.start()
        assert not made.wait(0.1)
        assert list((store.root / "work").iterdir()) == []
    thread.join()
    assert made.is_set()


def leave_work(root: Path) -> None:
    with claimed_folder(root / "work") as folder:
        (folder / "large").mkdir()
        os.kill(os.getpid(), signal.SIGKILL)


def test_work_of_killed_processes_is_removed_when_the_store_opens(store: Store) -> None:
    process = SPAWN.Process(target=leave_work, args=(store.root,))
    process.start()
    process.join()
    assert len(list((store.root / "work").iterdir())) == 1
    Store.open(store.root)
    assert list((store.root / "work").iterdir()) == []


def tag_for_ever(root: Path, name: str) -> None:
    store = Store(root)
    for number in range(100_000):
        store.tag("d", put(store, ImageId(name), str(number)), [name], {"kind": "infra"})


def test_a_kill_at_any_moment_leaves_a_usable_store(store: Store) -> None:
    for round_ in range(4):
        processes = [SPAWN.Process(target=tag_for_ever, args=(store.root, n)) for n in ("a", "b")]
        for process in processes:
            process.start()
        deadline = time.monotonic() + 20
        while len(store.read_current("d").images) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.037 * round_)
        for process in processes:
            process.kill()
            process.join()
        again = Store.open(store.root)
        current = again.read_current("d")
        assert current.faults == ()
        assert set(current.images) == {ImageId("a"), ImageId("b")}
        assert list((store.root / "work").iterdir()) == []
        assert list((store.root / "oci" / "unfinished").iterdir()) == []


def test_blocks_of_one_name_exclude_each_other_in_one_process(store: Store) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            with store.exclusive("unit"):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80
    assert max(most) == 1
    assert list((store.root / "locks").iterdir()) == []


def count_up(root: Path, file: Path) -> None:
    for _ in range(50):
        with Store(root).exclusive("count"):
            file.write_text(str(int(file.read_text()) + 1))


def test_blocks_of_one_name_exclude_each_other_between_processes(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    processes = [SPAWN.Process(target=count_up, args=(store.root, file)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert file.read_text() == "150"


def test_who_waits_is_told_so_once(store: Store) -> None:
    told: list[str] = []
    order: list[str] = []

    def second() -> None:
        with store.exclusive("x", on_wait=lambda: told.append("waiting")):
            order.append("second")

    with store.exclusive("x", on_wait=lambda: told.append("never")):
        thread = threading.Thread(target=second)
        thread.start()
        while not told:
            time.sleep(0.001)
        order.append("first")
    thread.join()
    assert told == ["waiting"]
    assert order == ["first", "second"]


def test_other_names_do_not_wait(store: Store) -> None:
    with store.exclusive("a"), store.exclusive("../b/"):
        assert len(list((store.root / "locks").iterdir())) == 2


def test_a_unit_is_intact_until_a_byte_changes(store: Store) -> None:
    digest = Digest.of(b"package")
    with store.work_folder() as work:
        (work / "unit" / "tree").mkdir(parents=True)
        (work / "unit" / "tree" / "file").write_bytes(b"content")
        store.keep_unit(work / "unit", digest)
    assert store.unit_is_intact(digest)
    time.sleep(0.02)  # the kernel's clock for files ticks every few milliseconds
    (store.unit_path(digest) / "tree" / "file").write_bytes(b"c0ntent")
    assert not store.unit_is_intact(digest)
    store.discard_unit(digest)
    assert list(store.units.iterdir()) == []
    assert not store.unit_is_intact(digest)


def test_a_unit_whose_seal_is_gone_is_not_intact(store: Store) -> None:
    digest = Digest.of(b"package")
    with store.work_folder() as work:
        (work / "unit").mkdir()
        store.keep_unit(work / "unit", digest)
    assert store.unit_is_intact(digest)
    store.unit_path(digest).with_suffix(".seal").unlink()
    assert not store.unit_is_intact(digest)


def test_units_and_deltas_of_a_copied_store_count_as_changed(store: Store, tmp_path: Path) -> None:
    built = put(store)
    with store.work_folder() as work:
        (work / "unit").mkdir()
        (work / "unit" / "file").touch()
        store.keep_unit(work / "unit", Digest.of(b"package"))
    subprocess.run(["cp", "-a", store.root, tmp_path / "copy"], check=True)
    copy = Store.open(tmp_path / "copy")
    assert store.unit_is_intact(Digest.of(b"package"))
    assert not copy.unit_is_intact(Digest.of(b"package"))
    # A folder without anything in it has nothing that could have changed.
    assert copy.delta_is_intact(built.manifest)


def keep_delta(store: Store, name: str, manifest: Digest) -> None:
    with store.work_folder() as work:
        (work / name).mkdir()
        (work / name / name).touch()
        store.keep_delta(work / name, manifest)


def test_who_is_second_with_a_delta_leaves_the_first(store: Store) -> None:
    manifest = Digest.of(b"manifest")
    keep_delta(store, "first", manifest)
    keep_delta(store, "second", manifest)
    assert [path.name for path in store.delta_path(manifest).iterdir()] == ["first"]
    assert store.delta_is_intact(manifest)


def test_a_damaged_delta_is_replaced_by_the_next_one(store: Store) -> None:
    manifest = Digest.of(b"manifest")
    keep_delta(store, "first", manifest)
    (store.delta_path(manifest) / "first").write_text("changed")
    assert not store.delta_is_intact(manifest)
    keep_delta(store, "second", manifest)
    assert [path.name for path in store.delta_path(manifest).iterdir()] == ["second"]
    assert store.delta_is_intact(manifest)
    store.discard_delta(manifest)
    assert list(store.deltas.iterdir()) == []


def test_logs_lie_by_distribution_and_image(store: Store) -> None:
    log = store.log_path("debian-13", ImageId("nova-api", Type.SOURCE))
    log.write_text("all well")
    assert log == store.root / "logs" / "debian-13" / "source-nova-api.log"


@pytest.mark.parametrize("name", ["../cron", "a/b", "", ".", ".."])
def test_a_log_never_lies_outside_its_folder(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="not a name"):
        store.log_path("debian-13", ImageId(name))
    with pytest.raises(StoreError, match="not a name"):
        store.log_path(name, CRON)
