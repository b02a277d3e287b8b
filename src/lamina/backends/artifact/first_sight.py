"""Artifacts of which nobody has told the digest, seen for the first time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.backends.artifact.unit import look, refusal_text
from lamina.fetch import Cause, Download, Patience, fetch_all, fetch_error
from lamina.mirrors import Mirrors
from lamina.model.artifact import Artifact, packing_of
from lamina.model.digest import Digest
from lamina.model.url import without_credentials
from lamina.oci.untar import RefusedError
from lamina.store.store import Store

# A lock can do without, and is made again and again where a place is out of reach.
_PATIENCE = Patience(attempts=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What was found at an artifact's address."""

    artifact: Artifact
    url: str  # without credentials
    digest: Digest | None
    size: int = 0  # bytes
    why: str = ""  # there is no digest


def see_artifacts(
    artifacts: Sequence[Artifact],
    mirrors: Mirrors,
    store: Store,
    *,
    on_progress: Callable[[int], None],
) -> tuple[Sighting, ...]:
    """Fetch artifacts into the store, and return what each is.

    One that is no archive of the sort that it should be is not kept. `on_progress` is told how many
    bytes have come of all together. Raises `StoreError` when the disk refuses.
    """
    with store.work_folder() as work:
        downloads = [
            Download(
                url=mirrors.url(artifact.source, artifact.path),
                digest=None,
                size=artifact.size,
                path=work / str(number),
            )
            for number, artifact in enumerate(artifacts)
        ]
        arrived: dict[Path, int] = {}

        def progress(download: Download, size: int) -> None:
            arrived[download.path] = size
            on_progress(sum(arrived.values()))

        lost = fetch_all(downloads, on_progress=progress, patience=_PATIENCE)
        failures = {failure.download.path: failure for failure in lost}
        full = [failure for failure in failures.values() if failure.cause is Cause.DISK]
        if full:
            raise fetch_error(full)
        return tuple(
            _refused(artifact, download, failures[download.path].message)
            if download.path in failures
            else _seen(artifact, download, store)
            for artifact, download in zip(artifacts, downloads, strict=True)
        )


def _seen(artifact: Artifact, download: Download, store: Store) -> Sighting:
    try:
        look(download.path, packing_of(artifact.path))
    except RefusedError as error:
        return _refused(artifact, download, f"it is refused: {refusal_text(error)}")
    digest, size = _digest_of(download.path), download.path.stat().st_size
    download.path.replace(store.download_path(digest))
    return Sighting(artifact=artifact, url=_shown(download), digest=digest, size=size)


def _refused(artifact: Artifact, download: Download, why: str) -> Sighting:
    return Sighting(artifact=artifact, url=_shown(download), digest=None, why=why)


def _shown(download: Download) -> str:
    return without_credentials(download.url)


def _digest_of(file: Path) -> Digest:
    with file.open("rb") as content:
        return Digest(hashlib.file_digest(content, "sha256").hexdigest())
