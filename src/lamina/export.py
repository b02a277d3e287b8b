"""Exporting images of the store: to plain folders, and by skopeo to other programs."""

from __future__ import annotations

from pathlib import Path

from lamina import system
from lamina.errors import Fault, NetworkError, StoreError, UsageError
from lamina.model.built import Built
from lamina.model.destination import Destination, Transport
from lamina.oci.extract import extract_layer
from lamina.store.store import Store

# Each holds images by name; the others take one.
_MANY = (Transport.OCI, Transport.OCI_ARCHIVE)
_DAEMONS = (Transport.DOCKER_DAEMON, Transport.CONTAINERS_STORAGE)


def export_image(
    built: Built, name: str, store: Store, destination: Destination, *, docker_host: str = ""
) -> None:
    """Export one image, tagged `name` in the store's layout, its blobs known to be right.

    `docker_host` is where Docker's daemon listens, in the words of DOCKER_HOST. Raises
    `UsageError` for a folder that is not empty, `StoreError` or `NetworkError` when the other
    program did not take the image.
    """
    if destination.transport is Transport.ROOTFS:
        _unpack(built, store, Path(destination.place))
        return
    source = f"oci:{store.layout.root}:{name}"
    options = ["--quiet"]
    if docker_host and destination.transport is Transport.DOCKER_DAEMON:
        options += ["--dest-daemon-host", docker_host]  # skopeo does not read DOCKER_HOST
    done = system.run(["skopeo", "copy", *options, source, _target(destination, name)])
    if done.code:
        fault = Fault(
            str(destination), done.messages.strip() or "skopeo failed", _remedy(destination)
        )
        raise (NetworkError if destination.transport in _DAEMONS else StoreError)(fault)


def check_destination(destination: Destination, images: int) -> None:
    """Raise `UsageError` when `images` images do not fit into the destination."""
    if images > 1 and destination.transport not in _MANY:
        raise UsageError.one(
            f"{images} images do not fit into one '{destination.transport}'",
            place=str(destination),
            remedy="export them one by one, or all to oci:DIR",
        )


def _unpack(built: Built, store: Store, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UsageError.one("the folder is not empty", place=str(folder), remedy="give a new one")
    folder.chmod(0o755)
    for layer in built.layers:
        with store.layout.open_blob(layer.digest) as blob:
            extract_layer(blob, folder)


def _target(destination: Destination, name: str) -> str:
    if destination.transport in _MANY:
        return f"{destination}:{name}"
    return str(destination)


def _remedy(destination: Destination) -> str:
    if destination.transport is Transport.DOCKER_DAEMON:
        return "is dockerd running, and is the reference NAME:TAG?"
    if destination.transport is Transport.CONTAINERS_STORAGE:
        return "is the reference NAME:TAG, and containers-storage writable?"
    return "is there room, and may lamina write there?"
