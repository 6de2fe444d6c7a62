"""A page in a real browser: Debian's chromium, headless, spoken to in its DevTools protocol over a pair of pipes.

`--remote-debugging-pipe` takes JSON objects that end in a NUL byte on descriptor 3 and answers on 4, so that no driver,
port or web socket is needed. What the page logs as an error, throws, or asks the network for is in `Browser.errors`.
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no chromium here (apt-get install chromium): page not opened")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync"),
    "--remote-debugging-pipe",
)


class Browser:
    """One tab. `errors`: what it complained of since it was opened."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._rest, self._count = b"", 0
        self._session: dict[str, str] = {}
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """One command and its result. AssertionError with the browser's words where it fails."""
        self._count += 1
        row = {"id": self._count, "method": method, "params": arguments, **self._session}
        data = memoryview(json.dumps(row).encode() + b"\0")
        while data:
            data = data[os.write(self._commands, data) :]
        while (found := self._read()).get("id") != self._count:
            self._note(found)
        assert "error" not in found, (method, found["error"])
        return dict(found["result"])

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Show a file, and wait until it has loaded."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        self.call("Page.navigate", url=page.as_uri())
        while (found := self._read()).get("method") != "Page.loadEventFired":
            self._note(found)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, which may be a promise."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """A key of the keyboard, by its name and its Windows code, down and up."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def picture(self, to: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of all of the page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        to.write_bytes(base64.b64decode(shot["data"]))

    def _note(self, event: dict[str, Any]) -> None:
        method, about = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(about["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.errors.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not about["request"]["url"].startswith(("file:", "data:")):
            self.errors.append(f"asked for {about['request']['url']}")
        elif method == "Page.javascriptDialogOpening":
            self.errors.append(f"dialog: {about['message']}")

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = os.read(self._answers, 1 << 20)
            assert data, "chromium has ended"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(line))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A chromium of its own, ended with the block; `profile` is an empty folder."""
    theirs, commands = os.pipe()
    answers, ours = os.pipe()
    script = f'exec "$0" "$@" 3<&{theirs} 4>&{ours}'
    command = ["bash", "-c", script, CHROMIUM, *FLAGS, f"--user-data-dir={profile}"]
    with subprocess.Popen(command, pass_fds=(theirs, ours), stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        os.close(ours)
        try:
            yield Browser(commands, answers)
        finally:
            process.kill()
            os.close(commands)
            os.close(answers)
