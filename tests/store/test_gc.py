"""Collection: what tags and locks need stays, the rest goes."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import StoreError
from lamina.model.built import Built, Inputs, Layer
from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId
from lamina.model.lock import UnitRef
from lamina.oci.descriptor import GZIP_LAYER_TYPE
from lamina.store.gc import Contents, collect, plan_gc, read_contents
from lamina.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def unit(name: str) -> UnitRef:
    return UnitRef(
        name=name,
        version="1",
        architecture="amd64",
        repository="debian",
        path=f"pool/{name}.deb",
        size=len(name),
        digest=Digest.of(name.encode()),
    )


def image(name: str, *units: str, parent: Built | None = None) -> Built:
    """An image with a layer of its own; all digests are those of texts."""
    inputs = Inputs(
        engine=1,
        codec="gzip",
        parent=parent.manifest if parent else None,
        calls=Digest.of(b"calls"),
        layers=Digest.of(b"layers"),
        units={},
        files={},
        entry=Digest.of(name.encode()),
    )
    layer = Layer(
        diff_id=Digest.of(b"tar"),
        digest=Digest.of(f"{name} layer".encode()),
        size=len(f"{name} layer"),
        apparent=0,
        disk=0,
        media_type=GZIP_LAYER_TYPE,
    )
    return Built(
        id=ImageId(name),
        key=inputs.key(),
        inputs=inputs,
        parent=parent.manifest if parent else None,
        manifest=Digest.of(f"{name} manifest".encode()),
        manifest_size=len(f"{name} manifest"),
        config=Digest.of(f"{name} config".encode()),
        units=tuple(unit(name) for name in units),
        trees={},
        layers=(*(parent.layers if parent else ()), layer),
        own_layers=1,
        epoch=0,
        seconds=0.0,
    )


def layer_record(built: Built) -> Digest:
    """Return what the image's own layer was made of."""
    return Digest.of(f"{built.id} units".encode())


def put(store: Store, built: Built) -> Built:
    name = built.id.name
    for part in ("layer", "config", "manifest"):
        store.layout.write_blob(f"{name} {part}".encode())
    store.layers.keep(layer_record(built), built.layers[-1])
    for ref in built.units:
        put_unit(store, ref.name)
    with store.work_folder() as work:
        (work / "upper").mkdir()
        (work / "upper" / "file").write_bytes(b"12345")
        store.keep_delta(work / "upper", built.manifest)
    store.save_built(built)
    return built


def put_unit(store: Store, name: str) -> None:
    store.download_path(Digest.of(name.encode())).write_text(name)
    with store.work_folder() as work:
        (work / "unit").mkdir()
        (work / "unit" / "file").write_text(name)
        store.keep_unit(work / "unit", Digest.of(name.encode()))


def tag(store: Store, built: Built) -> None:
    store.tag("debian-13", built, [built.id.name], {})


def test_a_tagged_image_is_kept_whole_with_all_that_it_was_built_over(store: Store) -> None:
    base = put(store, image("base", "libc6"))
    middle = put(store, image("middle", "python3", parent=base))
    cron = put(store, image("cron", "cron", parent=middle))
    tag(store, cron)  # the others are not
    assert collect(store, []).removals == ()
    assert store.find_built(base.key) == base
    assert store.find_built(middle.key) == middle
    assert store.read_current("debian-13").images == {ImageId("cron"): cron}


def test_what_neither_tag_nor_lock_needs_goes(store: Store) -> None:
    cron = put(store, image("cron", "cron"))
    old = put(store, image("old", "old"))
    put_unit(store, "locked")
    tag(store, cron)
    before = read_contents(store)
    sweep = collect(store, [unit("locked").digest])
    gone = {(removal.folder, removal.digest) for removal in sweep.removals}
    assert gone == {
        ("built", old.key),
        ("layers", layer_record(old)),
        *(("blobs", Digest.of(f"old {part}".encode())) for part in ("layer", "config", "manifest")),
        ("downloads", Digest.of(b"old")),
        ("deltas", old.manifest),
        ("units", Digest.of(b"old")),
    }
    after = read_contents(store)
    assert before.sizes != after.sizes
    assert store.find_built(old.key) is None
    assert store.find_built(cron.key) == cron
    assert store.layers.find(layer_record(old)) is None
    assert store.layers.find(layer_record(cron)) == cron.layers[-1]
    assert store.unit_is_intact(Digest.of(b"locked"))
    assert sorted(path.name for path in store.units.iterdir()) == sorted(
        name
        for text in (b"cron", b"locked")
        for name in (Digest.of(text).hex, f"{Digest.of(text).hex}.seal")
    )
    assert list((store.root / "work").iterdir()) == []


def test_counts_and_bytes_are_those_of_the_files(store: Store) -> None:
    tag(store, put(store, image("cron", "cron")))
    put_unit(store, "stray")
    sweep = plan_gc(read_contents(store), [])
    assert [(r.folder, r.size) for r in sweep.removals] == [("downloads", 5), ("units", 5)]
    assert sweep.size == 10
    sizes = read_contents(store).sizes
    assert sweep.kept == sum(map(len, sizes.values())) - 2
    assert sweep.kept_size == sum(sum(found.values()) for found in sizes.values()) - 10


def test_a_tagged_image_keeps_the_units_with_compiled_modules_that_it_stands_on(
    store: Store,
) -> None:
    compiled, other = Digest.of(b"cron compiled"), Digest.of(b"cron compiled by another")
    for digest in (compiled, other):
        with store.work_folder() as work:
            (work / "unit").mkdir()
            store.keep_unit(work / "unit", digest)
    key = unit("cron").key
    tag(store, put(store, replace(image("cron", "cron"), trees={key: compiled})))
    sweep = collect(store, [])
    assert [(r.folder, r.digest) for r in sweep.removals] == [("units", other)]


def test_the_record_of_a_layer_that_is_lost_goes(store: Store) -> None:
    cron = put(store, image("cron", "cron"))
    tag(store, cron)
    store.discard(store.layout.blob_path(cron.layers[-1].digest))
    assert [(r.folder, r.digest) for r in collect(store, []).removals] == [
        ("layers", layer_record(cron))
    ]


def test_a_file_that_is_no_record_is_left_alone(store: Store) -> None:
    stray = store.layers.folder / "notes.txt"
    stray.touch()
    assert collect(store, []).removals == ()
    assert stray.exists()


def test_a_plan_touches_nothing(store: Store) -> None:
    old = put(store, image("old", "old"))
    assert plan_gc(read_contents(store), []).removals
    assert store.find_built(old.key) == old
    assert store.unit_is_intact(Digest.of(b"old"))


def test_a_second_collection_finds_nothing(store: Store) -> None:
    put(store, image("old", "old"))
    assert collect(store, []).removals
    assert collect(store, []).removals == ()


def test_a_damaged_record_goes_and_the_blobs_of_its_tagged_manifest_stay(store: Store) -> None:
    layer, config = store.layout.write_blob(b"layer"), store.layout.write_blob(b"config")
    manifest = canonical_json(
        {"config": {"digest": str(config)}, "layers": [{"digest": str(layer)}]}
    )
    built = replace(
        image("cron"), manifest=store.layout.write_blob(manifest), manifest_size=len(manifest)
    )
    tag(store, built)
    store.records.path(built.key).write_bytes(b"damaged")
    sweep = collect(store, [])
    assert [(r.folder, r.digest) for r in sweep.removals] == [("built", built.key)]
    assert set(store.layout.blobs()) == {layer, config, built.manifest}


def test_with_a_damaged_index_nothing_is_collected(store: Store) -> None:
    built = put(store, image("cron"))
    for name in ("index.json", "index.copy"):
        (store.layout.root / name).write_text("{")
    with pytest.raises(StoreError, match="not an OCI image index"):
        collect(store, [])
    assert store.find_built(built.key) == built


def test_a_collection_waits_for_builds_and_says_so(store: Store) -> None:
    put_unit(store, "fresh")
    waits = threading.Event()
    thread = threading.Thread(target=collect, args=(store, []), kwargs={"on_wait": waits.set})
    with store.in_use(), store.in_use():  # two builds at once
        thread.start()
        assert waits.wait(10)
        assert store.unit_is_intact(Digest.of(b"fresh"))
    thread.join()
    assert not store.unit_is_intact(Digest.of(b"fresh"))


NAMES = "abcdef"


@given(
    parents=st.tuples(*(st.integers(-1, number - 1) for number in range(6))),
    tagged=st.sets(st.integers(0, 5)),
    locked=st.sets(st.sampled_from(NAMES)),
)
def test_what_is_kept_is_closed_and_what_goes_is_not_needed(
    parents: tuple[int, ...], tagged: set[int], locked: set[str]
) -> None:
    images: list[Built] = []
    for name, parent in zip(NAMES, parents, strict=True):
        images.append(image(name, name, parent=images[parent] if parent >= 0 else None))
    blobs = {b for i in images for b in (i.manifest, i.config, *(x.digest for x in i.layers))}
    units = {unit(name).digest for name in NAMES}
    everything = {
        "built": {i.key for i in images},
        "layers": {*(layer_record(i) for i in images), Digest.of(b"unusable")},
        "blobs": blobs,
        "downloads": units,
        "deltas": {i.manifest for i in images},
        "units": units,
    }
    contents = Contents(
        tagged=frozenset(images[number].manifest for number in tagged),
        records={i.key: i for i in images},
        references={},
        layers={
            **{layer_record(i): i.layers[-1].digest for i in images},
            Digest.of(b"unusable"): None,
        },
        sizes={folder: dict.fromkeys(found, 1) for folder, found in everything.items()},  # type: ignore[misc]
    )
    sweep = plan_gc(contents, {unit(name).digest for name in locked})
    gone = {(removal.folder, removal.digest) for removal in sweep.removals}

    needed = set()
    for number in tagged:
        here: Built | None = images[number]
        while here is not None:
            needed.add(here.id.name)
            above = here.parent
            here = next((i for i in images if i.manifest == above), None)
    for i in images:
        name = i.id.name
        assert (("built", i.key) not in gone) == (name in needed)
        assert (("deltas", i.manifest) not in gone) == (name in needed)
        assert (("blobs", i.layers[-1].digest) not in gone) == (name in needed)
        assert (("layers", layer_record(i)) not in gone) == (name in needed)
        assert (("units", unit(name).digest) not in gone) == (name in needed | locked)
    assert ("layers", Digest.of(b"unusable")) in gone
    assert sweep.kept + len(sweep.removals) == sum(map(len, everything.values()))
