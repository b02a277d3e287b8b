"""Image layouts: atomic, verified, shared by processes, and read by other tools."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
from pathlib import Path

import pytest

from lamina.errors import StoreError
from lamina.model.digest import Digest
from lamina.model.image import Runtime
from lamina.oci.descriptor import MANIFEST_TYPE, REF_NAME, Descriptor
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.image import make_config, make_manifest
from lamina.oci.layer import write_layer
from lamina.oci.layout import Layout


def named(name: str, content: bytes = b"{}") -> Descriptor:
    return Descriptor(
        media_type=MANIFEST_TYPE,
        digest=Digest.of(content),
        size=len(content),
        annotations={REF_NAME: name},
    )


def test_a_new_layout_is_valid_and_empty(layout: Layout) -> None:
    assert json.loads((layout.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert layout.index() == ()
    assert layout.blobs() == {}


def test_a_blob_comes_back_by_its_digest(layout: Layout) -> None:
    digest = layout.write_blob(b"content")
    assert digest == Digest.of(b"content")
    assert layout.read_blob(digest) == b"content"
    assert layout.blob_size(digest) == 7
    assert layout.blobs() == {digest: 7}
    assert layout.verify_blob(digest) is None


def test_a_blob_that_is_not_kept_is_gone(layout: Layout) -> None:
    with layout.new_blob() as blob:
        blob.write(b"half")
    assert layout.blobs() == {}
    assert list((layout.root / "unfinished").iterdir()) == []


def test_a_missing_blob_is_told_with_its_digest(layout: Layout) -> None:
    digest = Digest.of(b"never written")
    with pytest.raises(StoreError, match=f"blob {digest} is missing") as caught:
        layout.open_blob(digest)
    assert "made or fetched again" in caught.value.faults[0].remedy
    assert layout.blob_size(digest) is None


def test_a_damaged_blob_is_told_and_then_missing(layout: Layout) -> None:
    digest = layout.write_blob(b"content")
    layout.blob_path(digest).write_bytes(b"c0ntent")
    fault = layout.verify_blob(digest)
    assert fault is not None
    assert f"blob {digest} is damaged" in fault.message
    assert layout.blob_size(digest) == 7  # looking changes nothing
    with pytest.raises(StoreError, match=f"blob {digest} is damaged"):
        layout.read_blob(digest)
    assert layout.blob_size(digest) is None


def test_writing_a_blob_again_mends_a_damaged_one(layout: Layout) -> None:
    digest = layout.write_blob(b"content")
    layout.blob_path(digest).write_bytes(b"c0ntent")
    layout.write_blob(b"content")
    assert layout.read_blob(digest) == b"content"


def test_the_index_is_sorted_by_name(layout: Layout) -> None:
    layout.update_index(lambda _: [named("b"), named("c"), named("a")])
    assert [d.annotations[REF_NAME] for d in layout.index()] == ["a", "b", "c"]
    first = (layout.root / "index.json").read_bytes()
    layout.update_index(reversed)
    assert (layout.root / "index.json").read_bytes() == first


DAMAGED_INDICES = ["", "[]", "{}", '{"manifests":[{"digest":"x"}]}', "\0", "\ud800"]


@pytest.mark.parametrize("text", DAMAGED_INDICES)
def test_a_damaged_index_is_told_and_taken_from_its_copy(layout: Layout, text: str) -> None:
    layout.update_index(lambda _: [named("a"), named("b")])
    index = layout.root / "index.json"
    before = index.read_bytes()
    assert layout.index_fault() is None
    index.write_text(text, errors="surrogatepass")
    assert [d.annotations[REF_NAME] for d in layout.index()] == ["a", "b"]
    fault = layout.index_fault()
    assert fault is not None
    assert str(index) in str(fault)
    layout.create()
    assert index.read_bytes() == before
    assert layout.index_fault() is None


def test_every_changed_byte_of_an_index_is_noticed_or_means_nothing(layout: Layout) -> None:
    layout.update_index(lambda _: [named("a")])
    index = layout.root / "index.json"
    whole, right = index.read_bytes(), layout.index()
    unnoticed = []
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1
        index.write_bytes(content)
        assert layout.index() == right
        if layout.index_fault() is None:
            unnoticed.append(bytes(content))
    # A name that nobody knows counts as none, and every index is one without being called so.
    assert [
        text for text in unnoticed if b'"mediaType":"application/vnd.oci.image.index' in text
    ] == []
    assert len(unnoticed) <= len("mediaType")


def test_what_other_programs_add_to_an_index_is_no_damage(layout: Layout) -> None:
    layout.update_index(lambda _: [named("a")])
    index = layout.root / "index.json"
    raw = json.loads(index.read_bytes())
    raw["manifests"].append(named("foreign").to_json())
    index.write_text(json.dumps(raw, indent=2))
    assert layout.index_fault() is None
    assert [d.annotations[REF_NAME] for d in layout.index()] == ["a", "foreign"]


def test_a_process_killed_between_copy_and_index_has_changed_both(layout: Layout) -> None:
    layout.update_index(lambda _: [named("a")])
    index = layout.root / "index.json"
    before = index.read_bytes()
    layout.update_index(lambda _: [named("b")])
    index.write_bytes(before)
    assert [d.annotations[REF_NAME] for d in layout.index()] == ["b"]


@pytest.mark.parametrize("copy", ["", "x", "sha256:0\n{}"])
def test_a_damaged_copy_says_nothing_about_the_index(layout: Layout, copy: str) -> None:
    layout.update_index(lambda _: [named("a")])
    (layout.root / "index.copy").write_text(copy)
    assert layout.index_fault() is None
    assert [d.annotations[REF_NAME] for d in layout.index()] == ["a"]


@pytest.mark.parametrize("text", DAMAGED_INDICES)
def test_an_index_damaged_like_its_copy_is_told_and_written_anew(layout: Layout, text: str) -> None:
    for name in ("index.json", "index.copy"):
        (layout.root / name).write_text(text, errors="surrogatepass")
    with pytest.raises(StoreError, match="not an OCI image index"):
        layout.index()
    layout.update_index(lambda before: (*before, named("a")))
    assert [d.annotations[REF_NAME] for d in layout.index()] == ["a"]


def test_making_a_layout_again_keeps_what_is_in_it(layout: Layout) -> None:
    digest = layout.write_blob(b"content")
    layout.update_index(lambda _: [named("a")])
    layout.create()
    assert layout.read_blob(digest) == b"content"
    assert len(layout.index()) == 1


def add_names(root: Path, prefix: str) -> None:
    layout = Layout(root)
    for number in range(25):
        layout.write_blob(b"the same blob from everybody")
        layout.update_index(
            lambda before, number=number: (*before, named(f"{prefix}{number:02}"))  # type: ignore[misc]
        )


def test_processes_that_write_at_once_lose_nothing(layout: Layout) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=add_names, args=(layout.root, name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(layout.index()) == 75
    assert layout.read_blob(Digest.of(b"the same blob from everybody"))


def test_a_layout_in_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Not a directory"):
        Layout(tmp_path / "file").create()


@pytest.mark.real
def test_skopeo_reads_what_is_written(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("hello")
    entry = Entry(
        path="hello", kind=EntryKind.FILE, mode=0o644, size=5, source=str(tmp_path / "hello")
    )
    layer = write_layer([entry], layout, mtime_limit=0)
    runtime = Runtime(environment={"A": "1"}, labels={"name": "cron"}, entrypoint=("/hello",))
    config = make_config(runtime, layers=[layer], epoch=1_000_000_000, architecture="amd64")
    manifest = make_manifest(config, [layer], title="cron", epoch=1_000_000_000)
    layout.write_blob(config)
    digest = layout.write_blob(manifest)
    descriptor = Descriptor(
        media_type=MANIFEST_TYPE,
        digest=digest,
        size=len(manifest),
        annotations={REF_NAME: "fleet/debian-cron:1.0"},
    )
    layout.update_index(lambda _: [descriptor])
    source = f"oci:{layout.root}:fleet/debian-cron:1.0"
    inspected = subprocess.run(
        ["skopeo", "inspect", source], check=True, capture_output=True, text=True
    )
    found = json.loads(inspected.stdout)
    assert found["Digest"] == str(digest)
    assert found["Created"] == "2001-09-09T01:46:40Z"
    assert found["Layers"] == [str(layer.digest)]
    assert found["Labels"] == {"name": "cron"}
    assert found["Env"] == ["A=1"]
    # A copy verifies every digest, the uncompressed ones too.
    copied = tmp_path / "copy"
    subprocess.run(["skopeo", "copy", "-q", source, f"oci:{copied}:x"], check=True)
    assert (copied / "blobs/sha256" / digest.hex).read_bytes() == manifest
