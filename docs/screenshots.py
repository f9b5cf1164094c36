"""Takes the pictures of the console that the documentation shows: ``make screenshots`` writes ``docs/images/*.png``.

``capably demo`` runs in a folder of its own, is called for a while, and is looked at in Chromium.
"""

import http.client
import itertools
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES: Final = Path(__file__).parent / "images"
CAPABLY: Final = Path(sys.executable).with_name("capably")
MOST_BYTES: Final = 200_000
CALLS_S: Final = 100.0
PORTS: Final = ("--port", "aimlapi-threads-runs-rest=8080", "--port", "aimlapi-threads-runs-mcp=9090")


class Demo(NamedTuple):
    """A demo that runs: its console, the page of a call that is filled in, and a path to ask for again and again."""

    console: str
    call: str
    runs: str


def main() -> None:
    """Take all pictures.

    Raises:
        SystemExit: there is no Chromium, or a picture is too large for a README.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("Chromium is not there: apt-get install chromium")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, demo(data) as shown, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        with calling(shown.runs):
            for scheme in ("light", "dark"):
                take(browser, shown, scheme)
        browser.close()
    large = [path.name for path in IMAGES.glob("console-*.png") if path.stat().st_size > MOST_BYTES]
    if large:
        raise SystemExit(f"too large for a page: {', '.join(large)}")


@contextmanager
def demo(data: str) -> Iterator[Demo]:
    """The demo, on the ports that the documentation names."""
    command = [str(CAPABLY), "demo", "--data", data, *PORTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        try:
            yield _told(child)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(30)


def _told(child: "subprocess.Popen[str]") -> Demo:
    told = ""
    for line in child.stdout or ():
        told += line
        link = re.search(r"(http://127\.0\.0\.1:\d+/)(#/call/\S+)", told)
        runs = re.search(r"curl -s (http://\S+/runs)$", told, re.MULTILINE)
        if link is not None and runs is not None:
            return Demo(link[1], link[2], runs[1])
    raise SystemExit("the demo did not start: is one of its ports taken?")


@contextmanager
def calling(url: str) -> Iterator[None]:
    """While the context lasts the runs are listed, sometimes more often and sometimes less."""
    over = threading.Event()
    where = urlsplit(url)

    def call() -> None:
        for pause in itertools.cycle((0.02, 0.05, 0.03, 0.11, 0.06, 0.02, 0.2, 0.04)):
            connection = http.client.HTTPConnection(where.netloc, timeout=10)
            connection.request("GET", where.path)
            connection.getresponse().read()
            connection.close()
            if over.wait(pause):
                return

    worker = threading.Thread(target=call)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join(20)


def take(browser: Browser, shown: Demo, scheme: str) -> None:
    """The pictures in one scheme."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(shown.console)
    page.wait_for_timeout(CALLS_S * 1000)  # so that there is something to draw
    _save(page, f"console-overview-{scheme}")
    page.goto(shown.console + shown.call)
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="trace", exact=True).wait_for()
    page.evaluate("window.scrollTo(0, 0)")
    _save(page, f"console-try-{scheme}")
    page.get_by_role("link", name="trace", exact=True).click()
    page.locator(".waterfall summary").last.click()
    _save(page, f"console-trace-{scheme}")
    page.goto(f"{shown.console}#/document")
    page.locator(".finding").first.wait_for()
    _save(page, f"console-document-{scheme}")
    context.close()


def _save(page: Page, name: str) -> None:
    page.wait_for_timeout(300)
    with Image.open(BytesIO(page.screenshot())) as picture:
        # A page has few colours: a palette keeps what is seen, in a third of the bytes.
        few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
