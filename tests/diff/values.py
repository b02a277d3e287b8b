"""Small values to compare: units, locks, layers, listings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamina.diff import Blobs, Content, File, Files, Packages, Side, locked_packages
from lamina.model.built import Layer, Part
from lamina.model.digest import Digest
from lamina.model.image import ImageId, Runtime
from lamina.model.lock import DpkgCall, Lock, LockedImage, UnitRef
from lamina.oci.entry import Entry, EntryKind
from lamina.oci.listing import Listed

IMAGE = ImageId("zebra")


def unit(name: str, version: str = "1", *, size: int = 100, architecture: str = "amd64") -> UnitRef:
    return UnitRef(
        name=name,
        version=version,
        architecture=architecture,
        repository="debian",
        path=f"pool/{name}_{version}_{architecture}.deb",
        size=size,
        digest=Digest.of(f"{name} {version} {architecture}".encode()),
    )


def lock(line: Mapping[str, Sequence[Sequence[UnitRef]]]) -> Lock:
    """A lock of images, each the child of the one before, with the groups of their units."""
    units = {unit.key: unit for groups in line.values() for group in groups for unit in group}
    images: list[LockedImage] = []
    layers: dict[str, tuple[str, ...]] = {}
    for name, groups in line.items():
        own = {f"{name}-{number}": group for number, group in enumerate(groups)}
        layers |= {id_: tuple(sorted(unit.name for unit in group)) for id_, group in own.items()}
        keys = tuple(unit.key for group in groups for unit in group)
        images.append(
            LockedImage(
                id=ImageId(name),
                parent=images[-1].id if images else None,
                request=Digest.of(name.encode()),
                calls=(DpkgCall(action="unpack", units=keys),),
                layers=tuple(own),
            )
        )
    return Lock(
        distro="debian-13",
        architecture="amd64",
        catalog=Digest.of(b"catalogue"),
        indices=(),
        units=units,
        layers=layers,
        images=tuple(images),
    )


def packages(line: Mapping[str, Sequence[UnitRef]]) -> Packages:
    """The packages of the last image of a line."""
    return locked_packages(
        lock({name: [units] for name, units in line.items()}), ImageId([*line][-1])
    )


def layer(name: str, size: int, units: Sequence[str] = ()) -> Layer:
    return Layer(
        diff_id=Digest.of(name.encode()),
        digest=Digest.of(f"{name} compressed".encode()),
        size=size,
        apparent=3 * size,
        disk=4096,
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
        parts=tuple(Part(unit=unit, size=1, apparent=3) for unit in units),
    )


def file(
    content: str = "", *, mode: int = 0o644, uid: int = 0, kind: EntryKind = EntryKind.FILE
) -> File:
    is_file = kind is EntryKind.FILE
    return File(
        kind=kind,
        mode=mode,
        uid=uid,
        gid=0,
        size=len(content) if is_file else 0,
        content=Digest.of(content.encode()) if is_file else content,
        xattrs=(),
    )


DIRECTORY = file(kind=EntryKind.DIRECTORY, mode=0o755)


def listed(path: str, content: str = "", kind: EntryKind = EntryKind.FILE) -> Listed:
    """An entry of a layer; `content` of a link is its target."""
    is_file = kind is EntryKind.FILE
    return Listed(
        entry=Entry(
            path=path,
            kind=kind,
            mode=0o755 if kind is EntryKind.DIRECTORY else 0o644,
            size=len(content) if is_file else 0,
            target="" if is_file else content,
        ),
        content=Digest.of(content.encode()) if is_file else None,
    )


def content(
    name: str,
    *,
    files: Files | None = None,
    layers: Sequence[Layer] = (),
    runtime: Runtime = Runtime(),  # noqa: B008
) -> Content:
    manifest, config = (Digest.of(f"{what} {name}".encode()) for what in ("manifest", "config"))
    return Content(
        manifest=manifest,
        blobs=Blobs(documents={manifest: 10, config: 5}, layers=tuple(layers)),
        files=files or {},
        runtime=runtime,
    )


def side(name: str, packages: Packages, content: Content | None = None) -> Side:
    return Side(name=name, image=IMAGE, packages=packages, groups=None, content=content)
