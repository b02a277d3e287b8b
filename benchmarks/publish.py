"""A fleet sent to a registry, against skopeo image by image, and against its bytes alone."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.whole.registry import Registry, registry

from benchmarks.lab.ground import Ground, lamina
from benchmarks.lab.options import Options, benchmark
from benchmarks.lab.report import Cell, Figure, Report, say
from lamina.model.built import Built
from lamina.model.digest import Digest
from lamina.model.image import Kind
from lamina.model.names import Scheme, print_names
from lamina.pipeline.builds import TAG
from lamina.registry import Access, open_registry


@benchmark("publish", repeat=3, select="SELECT")
def main(options: Options) -> Report:
    """Measure `lamina publish` as a process: to an empty registry, by three schemes, and again.

    Against `skopeo copy` of each image, one after the other, and against one upload of as many
    bytes as the fleet's blobs have. Each goes to an empty docker-registry on the loopback, without
    TLS. All are infra images, since two types of one OpenStack image cannot share their short name.
    SELECT takes a part of them.
    """
    ground = Ground.in_folder(options.folder)
    images = [image for image in ground.images(options.terms) if image.kind is Kind.INFRA]
    built = ground.have_built(images)
    chosen = [built[image.id] for image in images]
    names = [
        print_names(image, ground.catalog.distro, Scheme.SPLIT, tag=TAG)[0] for image in images
    ]
    terms = [str(image.id) for image in images]
    runs: dict[str, list[float]] = {}
    sent = 0
    for _ in range(options.repeat):
        for schemes in ("split", "split,legacy,short"):
            with _empty(ground) as there:
                say(f"publish by {schemes}")
                words = ("publish", *terms, "--to", f"http://{there.address}/fleet")
                command = lamina(ground.settings, *words, "--names", schemes, "--json")
                seconds, told = _published(command)
                runs.setdefault(f"publish by {schemes}", []).append(seconds)
                sent = told["sent"]["blob_bytes"]
                again, _ = _published(command)
                runs.setdefault(f"again by {schemes}", []).append(again)
        with _empty(ground) as there:
            say("skopeo")
            runs.setdefault("skopeo copy of each", []).append(_copied(ground, names, there))
        with _empty(ground) as there:
            say("one blob")
            runs.setdefault("one blob", []).append(_one_blob(ground, chosen, there))
    return _report(runs, sent, chosen, ground)


@contextmanager
def _empty(ground: Ground) -> Iterator[Registry]:
    """Give an empty registry on the disk of the store."""
    with (
        TemporaryDirectory(dir=ground.settings.store.parent) as folder,
        registry(Path(folder)) as there,
    ):
        yield there


def _published(command: Sequence[str]) -> tuple[float, Any]:
    began = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.monotonic() - began, json.loads(done.stdout)


def _copied(ground: Ground, names: Sequence[str], there: Registry) -> float:
    """Return the seconds that skopeo takes for one image after the other."""
    began = time.monotonic()
    for name in names:
        there.push(ground.store.layout.root, name)
    return time.monotonic() - began


def _one_blob(ground: Ground, chosen: Sequence[Built], there: Registry) -> float:
    """Return the seconds that the registry takes for all blobs as one."""
    layout = ground.store.layout
    with TemporaryDirectory(dir=ground.settings.store.parent) as folder:
        path = Path(folder) / "all"
        with path.open("wb") as whole:
            for digest in sorted(_blobs(chosen)):
                with layout.blob_path(digest).open("rb") as blob:
                    shutil.copyfileobj(blob, whole)
        with path.open("rb") as whole:
            digest = Digest(hashlib.file_digest(whole, "sha256").hexdigest())
        with open_registry(f"http://{there.address}", Access()) as client:
            began = time.monotonic()
            client.push_blob("fleet/all", digest, path, path.stat().st_size)
            return time.monotonic() - began


def _blobs(chosen: Sequence[Built]) -> frozenset[Digest]:
    return frozenset(
        digest for one in chosen for digest in (one.config, *(part.digest for part in one.layers))
    )


def _report(
    runs: dict[str, list[float]], sent: int, chosen: Sequence[Built], ground: Ground
) -> Report:
    seconds = {name: median(each) for name, each in runs.items()}
    unique = sum(ground.store.layout.blob_size(digest) or 0 for digest in _blobs(chosen))
    publish = seconds["publish by split"]
    rows: tuple[dict[str, Cell], ...] = tuple(
        {"run": name, "s": value} for name, value in seconds.items()
    )
    return Report(
        benchmark="publish",
        figures=(
            Figure(name="bytes sent, of unique bytes", value=sent / unique, goal=1.0),
            Figure(name="of skopeo", value=publish / seconds["skopeo copy of each"]),
            Figure(name="of one blob of as many bytes", value=publish / seconds["one blob"]),
            Figure(
                name="three schemes, of one",
                value=seconds["publish by split,legacy,short"] / publish,
            ),
            Figure(name="nothing to send", value=seconds["again by split"], unit="s"),
        ),
        rows=rows,
        notes=(f"{len(chosen)} images, {unique / 1e6:.0f} MB of blobs",),
    )


if __name__ == "__main__":
    main()
