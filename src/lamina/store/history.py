"""The record of the last build that built something, one for each distribution."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina.model.digest import Digest, canonical_json
from lamina.model.image import ImageId
from lamina.model.run import Run, Step, Turn
from lamina.oci.claims import replace_file
from lamina.oci.disk import disk_faults


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The records in `folder`, made in `work` before they come to their place."""

    folder: Path
    work: Path

    def keep(self, distro: str, run: Run) -> None:
        """Make `run` the last one of `distro`, unless nothing was built in it.

        A run that found everything unchanged says nothing about how long a build takes, and a
        run that only failed has its logs: neither replaces the record of a real build. Raises
        `StoreError` when the disk refuses.
        """
        if run.built:
            with disk_faults(self.folder.parent):
                replace_file(self._path(distro), to_json(run), aside=self.work)

    def last(self, distro: str) -> Run | None:
        """Return the last run of `distro`; None where its record is missing or damaged."""
        try:
            return from_json(self._path(distro).read_bytes())
        except (OSError, ValueError):
            return None  # nothing depends on it, and the next build writes a new one

    def _path(self, distro: str) -> Path:
        return self.folder / f"{distro}.json"


def to_json(run: Run) -> bytes:
    """Return the record as canonical JSON, with a digest of itself."""
    return _sealed(canonical_json(_plain(run)))


def from_json(text: bytes) -> Run:
    """Read what `to_json` wrote; raise `ValueError` for anything else, were it one byte."""
    # The digest has always the same length, and so has what stands before the record.
    empty = _sealed(b"")
    record = text[len(empty) - 1 : -1]
    if text != _sealed(record):
        raise ValueError("it is not as it was written")
    try:
        return _run(json.loads(record))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record: {error}") from error


def _sealed(record: bytes) -> bytes:
    return b'{"digest":"%b","format":1,"run":%b}' % (str(Digest.of(record)).encode(), record)


def _plain(run: Run) -> dict[str, Any]:
    """Return the run in JSON's own types."""
    return {
        "started": run.started,
        "seconds": run.seconds,
        "jobs": run.jobs,
        "turns": [
            {
                "image": str(turn.image),
                "parent": str(turn.parent) if turn.parent else None,
                "worker": turn.worker,
                "began": turn.began,
                "ended": turn.ended,
                "outcome": turn.outcome,
                "steps": [{"name": step.name, "began": step.began} for step in turn.steps],
            }
            for turn in run.turns
        ],
    }


def _run(raw: Any) -> Run:
    """Return the value of a record whose digest has been verified."""
    return Run(
        started=raw["started"],
        seconds=raw["seconds"],
        jobs=raw["jobs"],
        turns=tuple(
            Turn(
                image=ImageId.parse(turn["image"]),
                parent=ImageId.parse(turn["parent"]) if turn["parent"] else None,
                worker=turn["worker"],
                began=turn["began"],
                ended=turn["ended"],
                outcome=turn["outcome"],
                steps=tuple(Step(**step) for step in turn["steps"]),
            )
            for turn in raw["turns"]
        ),
    )
