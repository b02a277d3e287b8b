"""The lock file: JSON with a line for each unit and layer, so that changes read well in a diff."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from textwrap import indent
from typing import Any

from lamina.errors import Fault, LockError
from lamina.lock.audit import findings_in
from lamina.lock.entry import FileEntry, entry_of, parse_entry
from lamina.lock.position import line_of, marked
from lamina.model.lock import Lock

_AGAIN = "restore the file, or delete it and run lamina lock to make it anew"


def read_lock(path: Path) -> Lock:
    """Return the lock that the file holds.

    Raises `LockError` with every fault of the file, each with its line.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise LockError.one("there is no lock", place=str(path), remedy="run lamina lock") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LockError.one(f"cannot be read: {error}", place=str(path)) from None
    try:
        parsed = parse_entry(text)
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}"
        raise LockError.one(f"not JSON: {error.msg.lower()}", place=place, remedy=_AGAIN) from None
    findings = findings_in(parsed) if isinstance(parsed, FileEntry) else parsed
    if isinstance(parsed, FileEntry) and not findings:
        return parsed.lock()
    content = marked(text)
    placed = [(line_of(content, finding.keys), finding) for finding in findings]
    raise LockError(
        *(
            Fault(f"{path}:{line}", finding.message, finding.remedy or _AGAIN)
            for line, finding in sorted(placed, key=lambda pair: (pair[0], pair[1].message))
        )
    )


def write_lock(lock: Lock, path: Path) -> None:
    """Write the lock to its file, whole or not at all; equal locks give equal files."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.write(lock_text(lock))
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def lock_text(lock: Lock) -> str:
    """Return the lock as its file holds it."""
    entry = entry_of(lock)
    lines = [
        f" {_json(name)}: {_json(entry[name])}"
        for name in ("format", "distro", "architecture", "catalog", "layer_budget")
    ]
    lists = ("indices", "units", "artifacts", "layers")
    lines += [_list(name, map(_json, entry[name])) for name in lists]
    # An image is long: a line for each of its units, too.
    lines.append(_list("images", (json.dumps(image, indent=1) for image in entry["images"])))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _list(name: str, values: Iterable[str]) -> str:
    body = ",\n".join(indent(value, "  ") for value in values)
    return f" {_json(name)}: [\n{body}\n ]" if body else f" {_json(name)}: []"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
