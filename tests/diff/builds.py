"""Images in a store that nobody had to build: real layers, manifests and records."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence

from lamina.model.built import Built, Inputs, Layer, Part
from lamina.model.digest import Digest
from lamina.model.image import ImageId, Runtime
from lamina.model.lock import UnitRef
from lamina.oci.image import make_config, make_manifest
from lamina.store.store import Store

DISTRO = "debian-13"
NOTHING = Digest.of(b"")


def put(
    store: Store,
    name: str,
    files: Mapping[str, str],
    *,
    units: Sequence[UnitRef] = (),
    parent: Built | None = None,
    runtime: Runtime = Runtime(),  # noqa: B008
    inputs: Inputs | None = None,
) -> Built:
    """Put an image into the store whose own layer has these files; it is not tagged."""
    layers = (*(parent.layers if parent else ()), _layer(store, files, units))
    config = make_config(runtime, layers=layers, epoch=0, architecture="amd64")
    manifest = make_manifest(config, layers, title=name)
    inputs = inputs or Inputs(
        engine=1,
        codec="gzip",
        parent=parent.manifest if parent else None,
        calls=NOTHING,
        layers=NOTHING,
        units={unit.name: f"{unit.version} {unit.digest}" for unit in units},
        files={},
        entry=Digest.of(repr([name, files, runtime.user]).encode()),
    )
    built = Built(
        id=ImageId.parse(name),
        key=inputs.key(),
        inputs=inputs,
        parent=parent.manifest if parent else None,
        manifest=store.layout.write_blob(manifest),
        manifest_size=len(manifest),
        config=store.layout.write_blob(config),
        units=tuple(units),
        trees={},
        layers=layers,
        own_layers=1,
        epoch=0,
        seconds=1.0,
    )
    store.delta_path(built.manifest).mkdir(exist_ok=True)
    store.save_built(built)
    return built


def tag(store: Store, built: Built) -> None:
    """Make the image the current one of its name."""
    store.tag(DISTRO, built, [f"{built.id}:latest"], {})


def layer_blob(files: Mapping[str, str]) -> tuple[bytes, bytes]:
    """A layer with these files in their directories: the tar, and the blob."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        folders = {
            "/".join(path.split("/")[:depth])
            for path in files
            for depth in range(1, path.count("/") + 1)
        }
        for path in sorted({*folders, *files}):
            info = tarfile.TarInfo(path)
            content = files.get(path, "").encode()
            info.type = tarfile.REGTYPE if path in files else tarfile.DIRTYPE
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return tar.getvalue(), gzip.compress(tar.getvalue(), mtime=0)


def _layer(store: Store, files: Mapping[str, str], units: Sequence[UnitRef]) -> Layer:
    tar, blob = layer_blob(files)
    return Layer(
        diff_id=Digest.of(tar),
        digest=store.layout.write_blob(blob),
        size=len(blob),
        apparent=len(tar),
        disk=4096 * len(files),
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        parts=tuple(Part(unit=unit.key, size=1, apparent=1) for unit in units),
    )
