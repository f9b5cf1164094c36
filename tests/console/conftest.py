"""A console in front of real documents, and a browser that looks at it."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright
from tests.asking import Answer, ask
from tests.serving import Serving, serving

from capably.app import Service
from capably.capabilities import THREADS_RUNS
from capably.plan.variables import Given
from capably.settings import ControlSettings, Settings

if TYPE_CHECKING:
    from tests.conftest import Upstream

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 20_000
REST, MCP = "aimlapi-threads-runs-rest", "aimlapi-threads-runs-mcp"


@dataclass(frozen=True)
class Shown:
    """A console that runs, and the process it shows."""

    url: str
    process: Serving

    @property
    def service(self) -> Service:
        return self.process.service

    def ask(self, path: str, body: Any = None, *, method: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        return ask(urlsplit(self.url).netloc, method or ("POST" if body is not None else "GET"), path, body, headers)

    def tried(self, server: str, operation: str, inputs: Mapping[str, Any]) -> list[Any]:
        """The events of a call."""
        told = self.ask("/console/try", {"server": server, "operation": operation, "inputs": inputs})
        return [json.loads(line) for line in told.body.splitlines()]

    def run(self, work: Any) -> Any:
        """Do something in the loop of the process."""
        return asyncio.run_coroutine_threadsafe(work, self.process.loop).result(20)

    def call(self, server: str, key: str) -> str:
        """The address of the page of an operation."""
        return f"{self.url}#/call/{quote(server, safe='')}/{quote(key, safe='')}"


Show = Callable[..., Shown]


@pytest.fixture
def show(upstream: "Upstream", key: str) -> Iterator[Show]:
    """Show the console of documents; without any, that of the bundled one in front of the upstream."""
    with ExitStack() as stack:

        def show(*files: Path, token: str = "", upstream_at: str = "", **sets: str) -> Shown:
            values = {"baseurl": upstream_at or upstream.address, "AIMLAPI_API_KEY": key} if not files else {}
            ports = {REST: 0, MCP: 0} if not files else {}
            control = ControlSettings(0, token=token)
            settings = Settings(given=Given(sets=values | sets), ports=ports, control=control, drain_s=1.0)
            running = stack.enter_context(serving(settings, *files or [THREADS_RUNS]))
            return Shown(f"{running.by_kind['control'].url}/", running)

        yield show


@pytest.fixture(scope="module")  # no longer: Playwright keeps an event loop running, beside which no other can run
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not there: apt-get install chromium")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@dataclass
class Complaints:
    """What a browser had to complain about while it looked at pages."""

    found: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.found.append(f"{message.type}: {message.text}")

    def left(self) -> list[str]:
        return [text for text in self.found if not any(part in text for part in self.allowed)]


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, complaints: Complaints) -> Iterator[Open]:
    """Open a page: with nothing to complain about in its console, and nothing asked of another host than its own."""
    contexts = []

    def open_page(url: str, *, width: int = 1280, height: int = 900, **options: Any) -> Page:
        own = urlsplit(url).netloc

        def own_only(request: Request) -> None:
            if urlsplit(request.url).netloc != own and not request.url.startswith("data:"):
                complaints.found.append(f"foreign request: {request.url}")

        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", complaints.hear)
        page.on("pageerror", lambda error: complaints.found.append(f"error: {error}"))
        page.on("request", own_only)
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error(`policy: ${e.violatedDirective}`))"
        )
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints.left() == []


AXE = Path(__file__).parents[2] / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def flaws() -> Callable[[Page], list[str]]:
    """What axe-core has to say of a page by the rules of WCAG 2.2, levels A and AA."""
    if not AXE.is_file():
        pytest.skip("axe-core is not there: make build/axe/.stamp (it needs npm)")
    rules = AXE.read_text()

    def flaws(page: Page) -> list[str]:
        page.evaluate(rules)
        found = page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        )
        return [
            f"{item['id']}: {node['target']} {node['failureSummary']}"
            for item in found["violations"]
            for node in item["nodes"]
        ]

    return flaws
