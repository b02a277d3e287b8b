#!/usr/bin/python3 -IB
"""Stands in for a program of a release: lies where it would, and is used as it would be.

A deployment starts it as it starts the real one. It reads the configuration that it is told of,
asks for what the image has to have for it, listens and answers. What it cannot do ends it, as the
user that it runs as. `PLANS` is replaced by what it is to do, by its first argument.
"""

import http.server
import os
import signal
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import TypedDict


class Plan(TypedDict, total=False):
    """What to do; a plan with `prints` ends by itself."""

    runs: list[list[str]]  # commands that must succeed before
    writes: list[str]  # paths that its user must be able to write to
    prints: str
    name: str  # what it is called in the kernel, as a Java program is called java
    pages: list[int]  # ports where it answers by HTTP
    answer: str
    lines: list[int]  # ports where it takes lines
    notes: tuple[str, str]  # a file, and what it adds to it when it is sent something


PLANS: dict[str, Plan] = {}


def check(plan: Plan) -> None:
    """End the program where the image lacks something."""
    for word in sys.argv[1:]:
        path = word.rpartition("=")[2]
        if path.startswith("/etc/") and not os.access(path, os.R_OK):
            sys.exit(f"{path} cannot be read")
    for path in plan.get("writes", ()):
        if not os.access(path, os.W_OK):
            sys.exit(f"{path} cannot be written to")
    for command in plan.get("runs", ()):
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def note(plan: Plan) -> None:
    """Note that something was sent."""
    path, text = plan.get("notes", ("", ""))
    if path:
        with Path(path).open("a") as file:
            file.write(f"{text}\n")


def serve(plan: Plan) -> None:
    """Listen and answer, until the program ends."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.command != "GET":
                note(plan)
            answer = plan.get("answer", "ok").encode() + b"\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_GET  # noqa: N815 - the library's names

    class Line(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if self.rfile.readline():
                note(plan)

    servers = [
        *(
            http.server.ThreadingHTTPServer(("127.0.0.1", port), Page)
            for port in plan.get("pages", ())
        ),
        *(
            socketserver.ThreadingTCPServer(("127.0.0.1", port), Line)
            for port in plan.get("lines", ())
        ),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    """Do what the plan for the first argument says."""
    plan = PLANS.get(sys.argv[1] if len(sys.argv) > 1 else "", PLANS.get("", {}))
    check(plan)
    if "prints" in plan:
        sys.stdout.write(plan["prints"] + "\n")
        return
    if "name" in plan:
        Path("/proc/self/comm").write_text(plan["name"])
    serve(plan)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
