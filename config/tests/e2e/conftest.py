"""A served site and the system's Chromium; without Chromium, no browser test is collected."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Literal

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from config.tests.e2e.edge import Edge
from predictions.tests.scene import Scene, scene

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE: ViewportSize = {"width": 390, "height": 844}
SMALL_PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
Scheme = Literal["light", "dark"]
Motion = Literal["reduce", "no-preference"]

collect_ignore_glob = [] if CHROMIUM else ["test_*.py"]
STREAM = "/ws/stream"
# A generous limit for events in a browser on a busy machine; no test measures against it.
LIMIT_MS = 120_000
expect.set_options(timeout=LIMIT_MS)

OpenPage = Callable[..., Page]


def pytest_report_header() -> str:
    """Report the browser of this run."""
    return f"browser tests: {CHROMIUM}" if CHROMIUM else "browser tests: not collected, no Chromium is installed"


@pytest.fixture
def shown(transactional_db: None, browser: Browser) -> Scene:
    """The scene, committed, so that the server's threads see it."""
    cache.clear()
    return scene()


@pytest.fixture
def site(shown: Scene, live_server: LiveServer) -> str:
    """The address of the served site."""
    return str(live_server.url)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One headless browser for the package."""
    # Playwright runs a loop in this thread, which Django would take for asynchronous code that must not query.
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def running_edge(django_db_setup: None) -> Iterator[Edge]:
    """One edge for the module; it reads the test's database."""
    running = Edge()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def edge(shown: Scene, running_edge: Edge, settings: Settings) -> Edge:
    """The running edge, configured as the pages' stream and allowed by their policy."""
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    allowed = {**directives, "connect-src": [*directives["connect-src"], running_edge.address]}
    settings.CONTENT_SECURITY_POLICY = {**settings.CONTENT_SECURITY_POLICY, "DIRECTIVES": allowed}
    settings.HINDCAST_SITE = replace(settings.HINDCAST_SITE, stream_url=running_edge.address)
    return running_edge


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[OpenPage]:
    """Open paths in windows of their own; fails afterwards on any console error or blocked content."""
    errors: list[str] = []
    with ExitStack() as contexts:

        def opened(
            path: str,
            *,
            viewport: ViewportSize = DESKTOP,
            scheme: Scheme = "light",
            motion: Motion = "reduce",
            zone: str | None = None,
        ) -> Page:
            context = browser.new_context(
                base_url=site,
                viewport=viewport,
                color_scheme=scheme,
                reduced_motion=motion,
                locale="en-GB",
                timezone_id=zone,
            )
            contexts.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(LIMIT_MS)
            page.on("console", lambda message: _record_error(message, path, errors))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(path)
            return page

        yield opened
    assert errors == []


def _record_error(message: ConsoleMessage, path: str, errors: list[str]) -> None:
    """Record a console error, except the status of the page itself and of the stream, which is not served."""
    expected = message.location.get("url", "").endswith(path) or STREAM in message.text
    if message.type == "error" and not expected:
        errors.append(f"{message.text} ({message.location.get('url')})")
