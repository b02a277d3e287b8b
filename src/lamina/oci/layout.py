"""OCI image layouts on disk (OCI image specification, image-layout.md).

Every write is a new file that is renamed when it is whole. Several processes may write at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from lamina.errors import Fault, StoreError
from lamina.model.digest import Digest, canonical_json
from lamina.oci.claims import claimed_file, locked, replace_file, sweep
from lamina.oci.descriptor import INDEX_TYPE, REF_NAME, Descriptor
from lamina.oci.disk import disk_faults, write_all

_SCHEMA = 2
_LAYOUT_FILE = canonical_json({"imageLayoutVersion": "1.0.0"})
_HEALS = "it will be made or fetched again: run the same command once more"
_TAG_AGAIN = "the next build writes it again"
_COPIED = "it is taken from its copy"


class NewBlob:
    """A blob that is being written; it is gone at the end unless it is kept."""

    def __init__(self, layout: Layout, path: Path, file: int) -> None:
        """Write into the open `file` at `path`."""
        self._layout = layout
        self._path = path
        self._file = file
        self._sha256 = hashlib.sha256()
        self.size = 0  # bytes written so far

    def write(self, content: bytes | bytearray) -> None:
        """Append `content`."""
        self._sha256.update(content)
        self.size += len(content)
        write_all(self._file, content)

    def keep(self) -> Digest:
        """Put the blob under its digest, and return that."""
        digest = Digest(self._sha256.hexdigest())
        if self._layout.durable:
            os.fsync(self._file)
        # A blob that is there already is replaced: it may be damaged.
        self._path.replace(self._layout.blob_path(digest))
        return digest


@dataclass(frozen=True, slots=True)
class Layout:
    """An OCI image layout in the folder `root`.

    With `durable`, blobs are on disk before they get their names. Without, a power cut can damage
    the newest ones, which is noticed when they are next used; a killed process never does.
    """

    root: Path
    durable: bool = False

    def create(self) -> None:
        """Make the folder a layout if it is none yet, remove what dead writers left in it, and
        put a damaged index right.
        """
        with disk_faults(self.root):
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._unfinished.mkdir(exist_ok=True)
            sweep(self._unfinished)
            if not (self.root / "oci-layout").exists():
                replace_file(self.root / "oci-layout", _LAYOUT_FILE, aside=self._unfinished)
            with locked(self.root):
                if not self._index.exists() or self._is_index_damaged():
                    self._write_index(self._copied() or _index_json(()))

    @property
    def _blobs(self) -> Path:
        return self.root / "blobs" / "sha256"

    @property
    def _unfinished(self) -> Path:
        return self.root / "unfinished"

    @property
    def _index(self) -> Path:
        return self.root / "index.json"

    @property
    def _copy(self) -> Path:
        """Where a copy of the index lies, behind a digest of itself: what was written last."""
        return self.root / "index.copy"

    def blob_path(self, digest: Digest) -> Path:
        """Return where the blob lies if it is there; its content is not verified."""
        return self._blobs / digest.hex

    def blob_size(self, digest: Digest) -> int | None:
        """Return the blob's size in bytes, `None` when it is not there; cheap."""
        try:
            return self.blob_path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def blobs(self) -> dict[Digest, int]:
        """Return the sizes of all blobs, in bytes."""
        found = {}
        with disk_faults(self.root), os.scandir(self._blobs) as items:
            for item in items:
                with suppress(ValueError, FileNotFoundError):  # no blob, or just removed
                    found[Digest(item.name)] = item.stat().st_size
        return found

    @contextmanager
    def new_blob(self) -> Iterator[NewBlob]:
        """Give a new blob to write; raise `StoreError` when the disk is full."""
        with disk_faults(self.root), claimed_file(self._unfinished) as (path, file):
            yield NewBlob(self, path, file)

    def write_blob(self, content: bytes) -> Digest:
        """Put `content` into the layout and return its digest."""
        with self.new_blob() as blob:
            blob.write(content)
            return blob.keep()

    def adopt_blob(self, path: Path, digest: Digest) -> bool:
        """Move a file of the same file system to its place as a blob; tell if its content is right.

        A file of other content is left where it is.
        """
        with disk_faults(self.root):
            with path.open("rb") as file:
                if _verify(file, digest):
                    return False
                if self.durable:
                    os.fsync(file.fileno())
            path.replace(self.blob_path(digest))
        return True

    def open_blob(self, digest: Digest) -> BufferedReader:
        """Return the blob, verified, open for reading from its start.

        Raises `StoreError` when it is missing or damaged; a damaged one is removed, so that what
        needs it makes or fetches it again.
        """
        file = self._open(digest)
        fault = _verify(file, digest)
        if fault:
            file.close()
            with suppress(OSError):
                self.blob_path(digest).unlink(missing_ok=True)
            raise StoreError(fault)
        file.seek(0)
        return file

    def read_blob(self, digest: Digest) -> bytes:
        """Return the blob's content, verified; raises as `open_blob`."""
        with self.open_blob(digest) as file:
            return file.read()

    def verify_blob(self, digest: Digest) -> Fault | None:
        """Return what is wrong with the blob; changes nothing."""
        try:
            with self._open(digest) as file:
                return _verify(file, digest)
        except StoreError as error:
            return error.faults[0]

    def index(self) -> tuple[Descriptor, ...]:
        """Return the descriptors of the index, those of its copy when it is damaged.

        Raises `StoreError` when both are.
        """
        copied = self._copied()
        if copied is not None and self._is_index_damaged():
            return _descriptors(copied)
        try:
            return _descriptors(self._index.read_bytes())
        except OSError as error:
            raise StoreError.one(
                f"cannot be read: {error.strerror}", place=str(self._index), remedy=_TAG_AGAIN
            ) from error
        except ValueError as error:
            raise StoreError.one(
                "not an OCI image index", place=str(self._index), remedy=_TAG_AGAIN
            ) from error

    def index_fault(self) -> Fault | None:
        """Return what is wrong with the index, if its copy shows it; `create` puts it right."""
        if not self._is_index_damaged():
            return None
        with locked(self.root, shared=True):  # it may just have been between two states
            damaged = self._is_index_damaged()
        return Fault(str(self._index), "the index was damaged", _COPIED) if damaged else None

    def update_index(
        self, change: Callable[[tuple[Descriptor, ...]], Iterable[Descriptor]]
    ) -> None:
        """Replace the index by what `change` makes of it, while no other process can.

        An index that is damaged, and its copy too, counts as empty: whoever tags images next
        fills it again.
        """
        with disk_faults(self.root), locked(self.root):
            try:
                before = self.index()
            except StoreError:
                before = ()
            self._write_index(_index_json(change(before)))

    def _write_index(self, content: bytes) -> None:
        """Replace the index and its copy; the folder is locked.

        The copy first: of a process that is killed in between, the change holds.
        """
        sealed = f"{Digest.of(content)}\n".encode() + content
        replace_file(self._copy, sealed, aside=self._unfinished)
        replace_file(self._index, content, aside=self._unfinished, durable=True)

    def _copied(self) -> bytes | None:
        """Return the index as it was written last, `None` when the copy is damaged itself."""
        try:
            seal, _, content = self._copy.read_bytes().partition(b"\n")
        except OSError:
            return None
        return content if seal == str(Digest.of(content)).encode() else None

    def _is_index_damaged(self) -> bool:
        """Tell whether the index lacks something of its copy; other programs may add to it."""
        copied = self._copied()
        try:
            content = self._index.read_bytes()
            return copied not in (None, content) and not (
                set(map(_spelling, _descriptors(copied or b"")))
                <= set(map(_spelling, _descriptors(content)))
            )
        except (OSError, ValueError):
            return copied is not None

    def _open(self, digest: Digest) -> BufferedReader:
        """Open a blob, not verified."""
        try:
            return self.blob_path(digest).open("rb")
        except OSError as error:
            why = "missing" if isinstance(error, FileNotFoundError) else error.strerror
            raise StoreError.one(f"blob {digest} is {why}", remedy=_HEALS) from error


def _verify(file: BufferedReader, digest: Digest) -> Fault | None:
    """Return what is wrong with the open blob's content."""
    try:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return Fault("", f"blob {digest} cannot be read: {error.strerror}", _HEALS)
    if found != digest.hex:
        return Fault("", f"blob {digest} is damaged: its content is sha256:{found}", _HEALS)
    return None


def _descriptors(index: bytes) -> tuple[Descriptor, ...]:
    """Return the descriptors of an index document; raise `ValueError` for anything else."""
    try:
        raw = json.loads(index)
        if raw["schemaVersion"] != _SCHEMA or raw.get("mediaType", INDEX_TYPE) != INDEX_TYPE:
            raise ValueError("an index of another version")
        return tuple(Descriptor.from_json(item) for item in raw["manifests"])
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not an index: {error}") from error


def _spelling(descriptor: Descriptor) -> bytes:
    """Return a descriptor's one spelling, by which it can be looked for."""
    return canonical_json(descriptor.to_json())


def _index_json(descriptors: Iterable[Descriptor]) -> bytes:
    """Return an index document, its descriptors sorted by reference name, then digest."""
    ordered = sorted(descriptors, key=lambda d: (d.annotations.get(REF_NAME, ""), d.digest))
    return canonical_json(
        {
            "schemaVersion": _SCHEMA,
            "mediaType": INDEX_TYPE,
            "manifests": [descriptor.to_json() for descriptor in ordered],
        }
    )
