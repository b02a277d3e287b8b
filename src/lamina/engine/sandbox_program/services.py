"""Services: looked at while they run, and stopped.

A service is a program in the background with a name. Its first process may only hold the others,
and its main process may have to prepare the service before it becomes it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterator, Mapping

from .accounts import identity
from .kernel import Json
from .processes import Process, below, processes, user_name
from .reaper import Program, Reaper

LOOK_PAUSE = 0.05  # seconds


def look(call: Json, reaper: Reaper) -> Json:
    """Look at a service until it is as it must be, or the time is over."""
    began = time.monotonic()
    deadline = began + call["timeout"]
    service = reaper.services[call["service"]]
    while True:
        tree = below([service.pid], processes())
        faults = list(wrongs(call, service, tree))
        if not faults or time.monotonic() >= deadline:
            break
        reaper.pause(LOOK_PAUSE, service)
        if reaper.is_over(service):
            return early_end(service, reaper, began)
    if faults or call["title"]:
        for process in tree.values():
            reaper.note(process.shown().encode(errors="replace"))
    return {
        "code": None, "output": "\n".join(faults), "matches": True, "good": not faults,
        "seconds": round(time.monotonic() - began, 3),
    }  # fmt: skip


def wrongs(call: Json, service: Program, tree: Mapping[int, Process]) -> Iterator[str]:
    """Yield what is not as it must be in the processes of a service."""
    main = main_process(service, tree, call["init"])
    if main is None:
        yield "it has no main process"
        return
    # A child of the first process has its name until it becomes another program.
    if main.name in (call["init"], call["prelude"]):
        yield f"{main.name} has not come to its command"
        return
    if call["user"]:
        who = identity(call["user"])
        if who is None:
            yield f"the image has no user {call['user']}"
        elif who[0] != main.uids[1]:
            owner = user_name(main.uids[1])
            yield f"its main process, {main.name}, runs as {owner}, not as {call['user']}"
    if call["rootless"]:
        for process in tree.values():
            if 0 in process.uids:
                yield f"its process {process.pid}, {process.name}, is root's"


def main_process(service: Program, tree: Mapping[int, Process], init: str) -> Process | None:
    """Return what a service is: its first process, or the eldest child of that if it is `init`."""
    first = tree.get(service.pid)
    if first is None or first.name != init:
        return first
    children = [pid for pid, process in tree.items() if process.parent == first.pid]
    return tree[min(children)] if children else None


def end(call: Json, reaper: Reaper) -> Json:
    """Send a service its signal, and wait for its end."""
    began = time.monotonic()
    service = reaper.services[call["service"]]
    reaper.wait([], 0)
    if reaper.is_over(service):
        return early_end(service, reaper, began)
    os.kill(service.pid, call["signal"])
    reaper.pause(call["timeout"], service)
    code = reaper.ended.get(service.pid)
    return {
        "code": code, "output": reaper.last_words(service), "matches": True,
        "good": code is not None, "seconds": round(time.monotonic() - began, 3),
    }  # fmt: skip


def early_end(service: Program, reaper: Reaper, began: float) -> Json:
    """Return the result of a call whose service has ended before it was to."""
    return {
        "code": None, "ended": reaper.ended[service.pid], "output": reaper.last_words(service),
        "matches": False, "good": False, "seconds": round(time.monotonic() - began, 3),
    }  # fmt: skip


def end_others(before: Collection[int], reaper: Reaper, deadline: float) -> bool:
    """End all processes but those `before` and what these started; return whether all are gone.

    The end of a container does the same to what its service has left.
    """
    while True:
        table = processes()
        others = table.keys() - below(before, table).keys()
        if not others or time.monotonic() >= deadline:
            return not others
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reaper.wait([], LOOK_PAUSE)
