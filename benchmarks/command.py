"""How long commands take that have nothing to do, and how long a large catalogue takes to load."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.lab.ground import Ground, lamina
from benchmarks.lab.options import Options, benchmark
from benchmarks.lab.report import Figure, Report, say
from benchmarks.lab.usage import Usage, measure
from lamina.catalog import default_folder

_IMAGES = 300
_FAMILY = 6  # images in a file of the synthetic catalogue
_LOAD = """
import sys, time
from pathlib import Path
from lamina.catalog import load_catalog
began, used = time.perf_counter(), time.process_time()
catalog = load_catalog([Path(sys.argv[1])], "debian-13", architecture="amd64")
print(len(catalog.images), time.perf_counter() - began, time.process_time() - used)
"""


@benchmark("command", repeat=7, select="SELECT")
def main(options: Options) -> Report:
    """Measure commands with nothing to do over a fleet that is built, and the catalogue's load.

    SELECT is what is built beforehand and built again; without it all that packages
    alone make.
    """
    ground = Ground.in_folder(options.folder)
    images = ground.images(options.terms)
    ground.have_built(images)
    names = [str(image.id) for image in images]
    settings = ground.settings
    commands: Sequence[tuple[str, float | None, list[str]]] = (
        ("lamina --help", 0.3, [sys.executable, "-m", "lamina", "--help"]),
        ("lamina list", None, lamina(settings, "list")),
        ("lamina plan", None, lamina(settings, "plan", *names)),
        ("lamina build", 1.0, lamina(settings, "build", "--no-test", *names)),
    )
    rows, figures = [], []
    for name, goal, arguments in commands:
        say(name)
        runs = [measure(arguments) for _ in range(options.repeat + 1)][1:]
        rows.append(_row(name, runs))
        seconds = median(run.seconds for run in runs)
        figures.append(Figure(name=name, value=seconds, unit="s", goal=goal))
    say("catalogue")
    with tempfile.TemporaryDirectory() as folder:
        write_catalog(Path(folder), _IMAGES)
        loads = [_load(Path(folder)) for _ in range(options.repeat)]
    name = f"load of {_IMAGES} images"
    seconds, cpu = (median(load[n] for load in loads) for n in (0, 1))
    figures.append(Figure(name=name, value=seconds, unit="s", goal=0.3))
    rows.append({"command": name, "s": seconds, "cpu s": cpu, "peak MB": 0.0})
    return Report(
        benchmark="command",
        figures=tuple(figures),
        rows=tuple(rows),
        notes=(f"medians of {options.repeat} runs after a first one",),
    )


def write_catalog(folder: Path, images: int) -> None:
    """Write a catalogue of as many images, with the default one's distributions and users."""
    default = default_folder()
    for name in ("distros", "users.yaml"):
        (folder / name).symlink_to(default / name)
    (folder / "infra").mkdir()
    for first in range(0, images, _FAMILY):
        entries = [_entry(number, first) for number in range(first, min(first + _FAMILY, images))]
        text = "images:\n" + "".join(entries)
        (folder / "infra" / f"family-{first}.yaml").write_text(text)


def _entry(number: int, first: int) -> str:
    """Return the YAML of one image; the first of a family is the parent of the others."""
    if number == 0:
        return "  base:\n    summary: what every image shares\n    packages: {debian: [apt]}\n"
    parent = "base" if first in (0, number) else f"image-{first}"
    return (
        f"  image-{number}:\n"
        f"    parent: {parent}\n"
        f"    summary: the synthetic image of number {number}\n"
        f"    packages: {{debian: [cron, package-{number}-a, package-{number}-b, socat]}}\n"
        f"    environment: {{NUMBER: '{number}', HOME: /var/lib/image}}\n"
        f"    volumes: [/var/lib/image-{number}]\n"
        f"    command: [/usr/bin/program, --number, '{number}']\n"
        f"    remove: [/var/cache/image/*, /var/log/image/*]\n"
        f"    steps: ['install -d /var/lib/image-{number}']\n"
        f"    test:\n      - {{run: [program, --version], stdout: '{number}'}}\n"
    )


def _load(folder: Path) -> tuple[float, float]:
    """Return the seconds and processor seconds that a new process takes to load a catalogue."""
    command = [sys.executable, "-c", _LOAD, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    images, seconds, cpu = done.stdout.split()
    if int(images) != _IMAGES:
        raise AssertionError(f"{images} images were loaded")
    return float(seconds), float(cpu)


def _row(name: str, runs: Sequence[Usage]) -> dict[str, str | float]:
    failed = [run.code for run in runs if run.code]
    if failed:
        raise AssertionError(f"{name} ended with exit code {failed[0]}")
    return {
        "command": name,
        "s": median(run.seconds for run in runs),
        "cpu s": median(run.cpu for run in runs),
        "peak MB": max(run.memory for run in runs) / 1e6,
    }


if __name__ == "__main__":
    main()
