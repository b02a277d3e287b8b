"""Reads questions and writes answers as JSON, one on a line, until the input ends.

`lamina.backends.deb.solver` is the other end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

import apt_pkg  # type: ignore[import-not-found]

from .choice import MERGED, MERGER, choice, essentials
from .index import Index, Json, RefusedError, make_folders, status_of


def apart(work: Callable[[], Any]) -> Any:
    """Return the result of `work`, done in a process of its own.

    apt's library keeps its choices in the opened index, and to take them back costs more than
    to fork: the index stays as it was opened.
    """
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(send, "w") as pipe:
                json.dump(outcome(work), pipe)
        finally:
            os._exit(0)  # whatever happens, there must not be a second one to answer
    os.close(send)
    with os.fdopen(receive) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    result: Json = (
        json.loads(answer) if answer else {"failed": "its library ended without an answer"}
    )
    if "refused" in result:
        raise RefusedError(result["refused"])
    if "failed" in result:
        raise apt_pkg.Error(result["failed"])
    return result["done"]


def outcome(work: Callable[[], Any]) -> Json:
    """Return what came of `work`, a fault included."""
    try:
        return {"done": work()}
    except RefusedError as refused:
        return {"refused": refused.reasons}
    except Exception as error:  # it is told where there is somebody to be told
        return {"failed": f"{type(error).__name__}: {error}"}


def bootstrap_of(index: Index) -> list[Json]:
    """Return what an image without a parent has before all that is asked for."""
    chosen: list[Json] = apart(lambda: essentials(index))
    if any(unit["name"] == MERGER for unit in chosen):
        # lamina's roots have those links from the start.
        chosen = apart(lambda: essentials(index, MERGED))
    return chosen


class Desk:
    """Answers questions; keeps the last index open for the next question about the same parent."""

    def __init__(self) -> None:
        self.asked: tuple[tuple[str, ...], bytes] | None = None
        self.opened: Index | None = None

    def index(self, repositories: list[str], status: bytes) -> Index:
        """Return the index over `repositories` with `status`."""
        asked = (tuple(sorted(repositories)), status)
        if self.opened is None or self.asked != asked:
            self.opened, self.asked = Index(repositories, status), asked
        return self.opened

    def answer(self, question: Json) -> Json:
        """Return the choice for one image; raise `RefusedError` when there is none."""
        repositories = list(question["repositories"])
        installed: list[Json] | None = question["installed"]
        bootstrap: list[Json] = []
        if installed is None:
            empty = self.index(repositories, b"")
            installed = bootstrap = bootstrap_of(empty)
        status = status_of(installed, lambda: self.index(repositories, b""))
        index = self.index(repositories, status)
        made = apart(lambda: choice(list(question["packages"]), index))
        return {"bootstrap": bootstrap, **made}


def main(questions: TextIO, answers: TextIO) -> None:
    """Answer every question of the input, one line each."""
    apt_pkg.init_config()
    apt_pkg.config.set("APT::Install-Recommends", "false")
    apt_pkg.config.set("Dir::Etc::sourcelist", "/dev/null")
    apt_pkg.config.set("Dir::Cache::pkgcache", "")
    apt_pkg.config.set("DPkg::Use-Pty", "false")
    apt_pkg.init_system()
    make_folders()
    desk = Desk()
    for line in questions:
        try:
            answer = desk.answer(json.loads(line))
        except RefusedError as refused:
            answer = {"refused": refused.reasons}
        except apt_pkg.Error as error:
            answer = {"failed": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    # Whatever the library prints must not stand between the answers.
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        main(sys.stdin, out)
