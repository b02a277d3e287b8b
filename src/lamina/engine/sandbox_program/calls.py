"""Calls of programs: to their end, beside the others, or on the caller's terminal."""

from __future__ import annotations

import os
import re
import time

from .accounts import identity
from .kernel import Json
from .processes import processes
from .reaper import Program, Reaper
from .services import early_end, end, end_others, look

RETRY_PAUSE = 0.2


def do(call: Json, reaper: Reaper) -> Json:
    """Do what a call asks for; return its result."""
    ways = {
        "wait": run, "background": run_in_background, "foreground": run_in_foreground,
        "look": look, "end": end,
    }  # fmt: skip
    lacks_user = "argv" in call and call["user"] and identity(call["user"]) is None
    return refuse(call, reaper) if lacks_user else ways[call["way"]](call, reaper)


def run(call: Json, reaper: Reaper) -> Json:
    """Run one call to its end, again and again where it says so; return its result."""
    began = time.monotonic()
    deadline = began + call["timeout"]
    expected = re.compile(call["stdout"], re.MULTILINE)
    beside = reaper.services[call["beside"]] if call["beside"] else None
    before = tuple(processes()) if call["service"] else ()
    result: Json = {}
    while True:
        pid, pipe = reaper.start(call)
        code, printed = reaper.follow(pid, pipe, deadline, beside)
        if call["lasting"]:
            reaper.keep(Program(pid, pipe))
        else:
            os.close(pipe)
        if code is None and beside and reaper.is_over(beside):
            return early_end(beside, reaper, began)
        if call["service"] and code is not None and not end_others(before, reaper, deadline):
            code = None
        # Of one that the time cut off, the one before says more.
        if code is not None or not result:
            text = printed.decode(errors="replace")
            matches = expected.search(text) is not None
            good = code == call["exit"] and matches
            result = {"code": code, "output": text, "matches": matches, "good": good}
        over = code is None or time.monotonic() + RETRY_PAUSE >= deadline
        if result["good"] or over or not call["retry"]:
            return {**result, "seconds": round(time.monotonic() - began, 3)}
        reaper.pause(RETRY_PAUSE, beside)


def run_in_background(call: Json, reaper: Reaper) -> Json:
    """Start a program that goes on beside the calls that follow; its output goes to the log."""
    program = Program(*reaper.start(call))
    reaper.keep(program)
    if call["service"]:
        reaper.services[call["service"]] = program
    return {"code": 0, "output": "", "matches": True, "good": True, "seconds": 0.0}


def run_in_foreground(call: Json, reaper: Reaper) -> Json:
    """Run a call on the terminal or the files that the caller has."""
    began = time.monotonic()
    pid, pipe = reaper.start(call, inherit=True)
    os.close(pipe)
    while pid not in reaper.ended:
        reaper.wait([], call["timeout"])
    code = reaper.ended[pid]
    seconds = round(time.monotonic() - began, 3)
    return {"code": code, "output": "", "matches": True, "good": code == 0, "seconds": seconds}


def refuse(call: Json, reaper: Reaper) -> Json:
    """Return the result of a call whose user the image does not have."""
    text = f"{call['argv'][0]}: the image has no user {call['user']}\n"
    reaper.note(text.encode(errors="replace"))
    return {"code": 127, "output": text, "matches": False, "good": False, "seconds": 0.0}
