"""Doing what a plan says, so that at no moment a tag means what is not wholly there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from threading import Lock

from lamina.model.amounts import count_text, size_text
from lamina.model.digest import Digest
from lamina.model.event import Doing, Listener, Sent
from lamina.oci.descriptor import MANIFEST_TYPE
from lamina.oci.layout import Layout
from lamina.publish.values import Blob, Mount, PublishPlan, Tagging, Upload
from lamina.registry import Manifest
from lamina.registry.client import Registry
from lamina.registry.together import together


def send(registry: Registry, plan: PublishPlan, layout: Layout, listener: Listener) -> None:
    """Do all of `plan`, with the content that `layout` has.

    First every blob, then every manifest under its own tag, parents before children, and only
    when all of that is there the tags that move. Killed at any time, it is simply done again.
    Raises `NetworkError` when the registry fails, `StoreError` for a damaged blob.
    """
    progress = _Progress(plan.blob_bytes, listener)
    if plan.uploads:
        size = size_text(plan.blob_bytes)
        listener(Doing(message=f"sending {count_text(len(plan.uploads), 'blob')} of {size}"))
    together(registry, (partial(_upload, registry, one, layout, progress) for one in plan.uploads))
    if plan.mounts:
        listener(Doing(message=f"mounting {count_text(len(plan.mounts), 'blob')}"))
    together(registry, (partial(_mount, registry, one, layout, progress) for one in plan.mounts))
    if plan.contents:
        listener(Doing(message=f"putting {count_text(len(plan.contents), 'manifest')}"))
    _put_all(registry, plan.contents, layout)
    if plan.tags:
        listener(Doing(message=f"moving {count_text(len(plan.tags), 'tag')}"))
    _put_all(registry, plan.tags, layout)


class _Progress:
    """How much has been sent, of all blobs together."""

    def __init__(self, total: int, listener: Listener) -> None:
        self._total = total
        self._listener = listener
        self._sent: dict[tuple[str, Digest], int] = {}
        self._lock = Lock()

    def of(self, repository: str, blob: Blob) -> Callable[[int], None]:
        """Return what takes the progress of one blob."""

        def tell(sent: int) -> None:
            with self._lock:
                self._sent[repository, blob.digest] = sent
                done = sum(self._sent.values())
                # What a registry would not mount comes on top of what was planned.
                self._listener(Sent(done=done, total=max(done, self._total)))

        return tell


def _upload(registry: Registry, upload: Upload, layout: Layout, progress: _Progress) -> None:
    _push(registry, upload.repository, upload.blob, layout, progress)


def _mount(registry: Registry, mount: Mount, layout: Layout, progress: _Progress) -> None:
    if not registry.mount_blob(mount.repository, mount.blob.digest, mount.source):
        _push(registry, mount.repository, mount.blob, layout, progress)


def _push(
    registry: Registry, repository: str, blob: Blob, layout: Layout, progress: _Progress
) -> None:
    registry.push_blob(
        repository,
        blob.digest,
        layout.blob_path(blob.digest),
        blob.size,
        progress.of(repository, blob),
    )


def _put_all(registry: Registry, taggings: Sequence[Tagging], layout: Layout) -> None:
    for generation in _generations(taggings):
        together(registry, (partial(_put, registry, one, layout) for one in generation))


def _put(registry: Registry, tagging: Tagging, layout: Layout) -> None:
    manifest = Manifest(content=layout.read_blob(tagging.manifest), media_type=MANIFEST_TYPE)
    registry.put_manifest(tagging.reference.repository, tagging.reference.tag, manifest)


def _generations(taggings: Iterable[Tagging]) -> Iterator[list[Tagging]]:
    """Yield what may be put at the same time: first what stands on nothing else."""
    ordered = sorted(taggings, key=lambda one: (one.generation, one.reference))
    for _, generation in groupby(ordered, key=lambda one: one.generation):
        yield list(generation)
