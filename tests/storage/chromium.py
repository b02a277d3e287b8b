"""A headless Chromium, driven over a pipe by the DevTools protocol: no more than is needed here."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PATIENCE = 60.0  # seconds
# What a page may do that it should not, or that tells of a fault.
_TELLING = {
    "Log.entryAdded": "log",
    "Runtime.consoleAPICalled": "console",
    "Runtime.exceptionThrown": "exception",
}


class Browser:
    """A page in a browser that runs; `complaints` and `requests` grow as they happen."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._rest = b""
        self._number = 0
        self._session = ""
        self._loaded = False
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result; note all that happens meanwhile."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def open(
        self, file: Path, *, width: int = 1200, dark: bool = False, script: bool = True
    ) -> None:
        """Show a file and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.complaints.clear()
        self.requests.clear()
        self._loaded = False
        self.call("Page.navigate", url=file.as_uri())
        while not self._loaded:
            self._note(self._next())

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key: `Tab`, `Enter`."""
        text = {"text": "\r"} if key == "Enter" else {}
        code = {"Enter": 13, "Tab": 9}[key]
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    def click(self, selector: str) -> None:
        """Click the middle of the first element that a selector finds, as a person does."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{found}.scrollIntoView({{block: 'center', inline: 'center'}})")
        box = self.evaluate(f"{found}.getBoundingClientRect().toJSON()")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, selector: str, text: str) -> None:
        """Type a text into a field."""
        self.click(selector)
        self.call("Input.insertText", text=text)

    def picture(self, width: int, height: int) -> bytes:
        """Return the page's upper part as WebP."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        options = {"format": "webp", "quality": 85, "captureBeyondViewport": True}
        answer = self.call("Page.captureScreenshot", clip=clip, **options)
        return base64.b64decode(answer["data"])

    def _note(self, event: dict[str, Any]) -> None:
        method, said = event.get("method", ""), event.get("params", {})
        if method in _TELLING:
            self.complaints.append(f"{_TELLING[method]}: {json.dumps(said)[:500]}")
        elif method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], _PATIENCE)
            assert ready, "chromium does not answer"
            chunk = os.read(self._answers, 1 << 20)
            assert chunk, "chromium has ended"
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Run a headless Chromium with its profile in `folder`; it ends with the block.

    The protocol is spoken on the descriptors 3 and 4: nothing listens on a port.
    """
    take, give = os.pipe(), os.pipe()
    words = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={folder}"),
        "about:blank",
    ]
    # The shell puts the pipes where Chromium looks for them.
    script = f'exec "$@" 3<&{take[0]} 4>&{give[1]}'
    with subprocess.Popen(
        ["/bin/bash", "-c", script, "chromium", *words],
        pass_fds=(take[0], give[1]),
        env={**os.environ, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(take[0])
        os.close(give[1])
        try:
            browser = Browser(take[1], give[0])
            yield browser
        finally:
            process.terminate()
            os.close(take[1])
            os.close(give[0])
