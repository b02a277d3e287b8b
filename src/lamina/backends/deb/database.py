"""What dpkg's database keeps of a package once it is unpacked, written down without dpkg.

A package whose unpacking runs no script, sets no configuration file aside and waits for no trigger
leaves nothing but its files, its record in `status` and its files in `info`. These are the same in
every image, so they belong to the unit, and dpkg need not run.

Sources: dpkg's src/main/unpack.c and lib/dpkg/db-ctrl-access.c for names, modes and content;
deb-triggers(5); dpkg's doc/spec/triggers.txt for `Unincorp`, the list of activations that dpkg has
yet to look at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from lamina.backends.deb.archive import Control
from lamina.engine.stack import ancestors
from lamina.engine.unit import UnitFacts

INFO = "var/lib/dpkg/info"
_DATABASE = ("var", "var/lib", "var/lib/dpkg", INFO)
_NOT_KEPT = "control"  # it becomes the record
_LIST_MODE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoFile:
    """A file of dpkg's `info` directory."""

    name: str
    content: bytes
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Triggers:
    """What a package's `triggers` file says; each sorted."""

    interests: tuple[str, ...]
    activates: tuple[str, ...]  # and awaits
    notifies: tuple[str, ...]  # activates without awaiting

    @classmethod
    def parse(cls, text: str) -> Triggers:
        """Read the file (deb-triggers(5))."""
        found: dict[str, set[str]] = {"interest": set(), "activate": set(), "notify": set()}
        for line in text.splitlines():
            words = line.split()
            if len(words) < 2 or words[0].startswith("#"):
                continue
            directive, _, way = words[0].partition("-")
            if directive == "activate" and way == "noawait":
                directive = "notify"
            found.setdefault(directive, set()).add(words[1])
        return cls(
            interests=tuple(sorted(found["interest"])),
            activates=tuple(sorted(found["activate"])),
            notifies=tuple(sorted(found["notify"])),
        )


def instance_of(control: Control) -> str:
    """Return the package's name, with its architecture if it can be there for several."""
    fields = control.fields()
    if fields.get("Multi-Arch") == "same":
        return f"{fields['Package']}:{fields['Architecture']}"
    return fields["Package"]


def info_files(control: Control, listed: Iterable[str]) -> Iterator[InfoFile]:
    """Yield what dpkg puts into `info` as it unpacks a package with these entries, in order."""
    name = instance_of(control)
    listing = "".join(f"{path}\n" for path in listed)
    yield InfoFile(
        name=f"{name}.list", content=listing.encode(errors="surrogateescape"), mode=_LIST_MODE
    )
    for file, content in sorted(control.files.items()):
        if file != _NOT_KEPT:
            yield InfoFile(name=f"{name}.{file}", content=content, mode=control.modes[file])


def record(control: Control) -> str:
    """Return the package's record in `status` once it is unpacked and not yet configured."""
    return control.text("control").strip("\n") + "\nStatus: install ok unpacked\n\n"


def why_husk(control: Control) -> str:
    """Return why dpkg itself must unpack the package's husk, or nothing."""
    if "preinst" in control.files:
        return "its preinst runs before it is unpacked"
    if control.text("conffiles").strip():
        return "dpkg sets its configuration files aside"
    if Triggers.parse(control.text("triggers")).interests:
        return "dpkg notes the triggers that it waits for"
    if "md5sums" not in control.files:
        return "dpkg computes its checksums"
    return ""


def activations(recorded: Iterable[tuple[UnitFacts, Collection[str]]]) -> tuple[str, ...]:
    """Return the lines that the unpacking of units adds to dpkg's `Unincorp`, sorted.

    Beside each unit stand the triggers that packages wait for by then.
    """
    waiting: dict[str, set[str]] = {}
    for unit, interests in recorded:
        for trigger in (*unit.activates, *_touched(unit, interests)):
            waiting.setdefault(trigger, set()).add(unit.instance)
        for trigger in unit.notifies:
            waiting.setdefault(trigger, set()).add("-")
    return tuple(f"{trigger} {' '.join(sorted(who))}" for trigger, who in sorted(waiting.items()))


def _named(unit: UnitFacts) -> tuple[str, ...]:
    """Return the unit's paths as its package calls them, with the directories above them."""
    if not unit.listed:
        return (*unit.files, *(directory.path for directory in unit.directories))
    return (*unit.listed, *{above for path in unit.listed for above in ancestors(path)})


def _touched(unit: UnitFacts, interests: Collection[str]) -> frozenset[str]:
    """Return the paths among `interests` at or below which the unit has something."""
    paths = [interest for interest in interests if interest.startswith("/")]
    there = _named(unit)
    # What the unit has beside its package counts for nobody: dpkg would not have unpacked it.
    beside = {*_DATABASE, *unit.derived}
    own = {f"/{path}" for path in there if path not in beside and not path.startswith(INFO)}
    above = [f"/{path}" for path in _DATABASE if f"/{path}" in paths]
    own |= {path for path in above if any(each.startswith(f"{path}/") for each in own)}
    return frozenset(path for path in paths if path in own)
