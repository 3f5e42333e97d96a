# SPDX-License-Identifier: Apache-2.0
"""A browser without a window: Chromium, told what to do through a pair of pipes.

Source: Chrome DevTools Protocol: Target, Page, Runtime; messages are JSON, each ended by a NUL.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = shutil.which("chromium")
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
           "--force-device-scale-factor=1", "--remote-debugging-pipe"]


class Browser:
    """One page."""

    def __init__(self, width=1280, height=900):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def pipes():
            """What the browser reads is descriptor 3 there, what it writes is 4."""
            source, sink = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(source, 3)
            os.dup2(sink, 4)
        self.process = subprocess.Popen(
            [PROGRAM, *OPTIONS, f"--user-data-dir={self.profile.name}", f"--window-size={width},{height}", "about:blank"],
            close_fds=False, preexec_fn=pipes, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self.input, self.output, self.rest, self.number, self.session = ours_in, ours_out, b"", 0, None
        page = next(one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in (lambda: self.ask("Browser.close", timeout=5), lambda: self.process.wait(timeout=10), self.process.kill):
            try:
                end()
            except (AssertionError, OSError, subprocess.TimeoutExpired):
                pass
        self.process.wait()
        os.close(self.input)
        os.close(self.output)
        self.profile.cleanup()

    def message(self, timeout):
        end = time.monotonic() + timeout
        while b"\0" not in self.rest:
            left = end - time.monotonic()
            assert left > 0, "the browser does not answer"
            if select.select([self.input], [], [], left)[0]:
                piece = os.read(self.input, 1 << 20)
                assert piece, "the browser has ended"
                self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def ask(self, method, timeout=60, **parameters):
        self.number += 1
        words = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            words["sessionId"] = self.session
        os.write(self.output, json.dumps(words).encode() + b"\0")
        while True:
            answer = self.message(timeout)
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def go(self, address):
        self.ask("Page.navigate", url=address)
        self.wait(f"location.href === '{address}' && document.readyState === 'complete'")

    def value(self, expression):
        """What an expression of the page's own language has for a value."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True,
                          awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression, timeout=60):
        end = time.monotonic() + timeout
        while not (value := self.value(expression)):
            assert time.monotonic() < end, (expression, self.value("document.body.outerHTML"))
            time.sleep(0.1)
        return value

    def picture(self):
        """What is to be seen now: a PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
