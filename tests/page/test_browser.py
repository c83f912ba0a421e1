"""The page as a person sees it, in a headless Chromium: at every width, light and dark, without a fault.

`make page` runs these: they need Playwright and a Chromium. Screenshots go to the folder that CHORUS_SCREENSHOTS names.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from chorus.common.monitoring.web import Web
from chorus.common.page.site import Site
from chorus.common.transport.credentials import NOTHING
from tests.common.page.large import ACTORS, live, write_large_run
from tests.system.processes import Chorus, opened, rows, until

playwright = pytest.importorskip("playwright.sync_api", reason="make page installs Playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="make page installs axe")

pytestmark = [pytest.mark.browser]

WIDTHS = (390, 800, 1600)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chorus]:
    with opened(tmp_path_factory.mktemp("runs")) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
        launched = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def finished(shared: Chorus) -> Path:
    """By the recipe that is everybody's default, evaluated now and then, with its film."""
    settings = ("--updates", "16", "--actors", "1", "--set", "task.episodes=4", "--set", "evaluate.every=3")
    shared.run(
        "train", "--out", shared.folder / "finished", *settings, "--set", "evaluate.episodes=8", "--env", "spread"
    )
    return shared.folder / "finished"


@pytest.fixture(scope="module")
def faulty(shared: Chorus) -> Path:
    run = shared.folder / "faulty"
    process = shared.start("train", "--out", run, "--actors", "1", "--updates", "50", "--set", "reward.team=1e300")
    assert "not finite" in process.refused()
    return run


@pytest.fixture(scope="module")
def large(shared: Chorus) -> Iterator[str]:
    """The address of a page of ten thousand updates and a thousand actors."""
    site = Site(write_large_run(shared.folder / "large"), live)
    web = Web("127.0.0.1", 0, CollectorRegistry(), lambda: "", NOTHING, site)
    yield web.address
    web.close()


def looked_at(browser: Any, name: str, address: str, shown: str) -> None:
    """See a page at every width, light and dark: its text, no error on the console, no finding of axe."""
    folder = os.environ.get("CHORUS_SCREENSHOTS")
    for scheme in SCHEMES:
        for width in WIDTHS:
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            errors: list[str] = []
            page.on(
                "console", lambda message, into=errors: into.append(message.text) if message.type == "error" else None
            )
            page.on("pageerror", lambda fault, into=errors: into.append(str(fault)))
            page.goto(address)
            page.get_by_text(shown).first.wait_for(timeout=20_000)
            page.wait_for_timeout(300)
            if folder:
                page.screenshot(path=Path(folder) / f"{name}-{scheme}-{width}.png", full_page=True)
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            findings = axe.Axe().run(page).response
            assert overflow <= 0, f"{name} at {width} is wider than its screen by {overflow}"
            assert findings["violations"] == [], [
                (finding["id"], [node["html"] for node in finding["nodes"]][:3]) for finding in findings["violations"]
            ]
            assert errors == []
            page.close()


def served(shared: Chorus, run: Path) -> str:
    process = shared.start("view", run)
    told = until(lambda: process.out.read_text() if "http" in process.out.read_text() else None)
    return told.split("page: ")[1].split()[0]


def test_a_finished_run(browser: Any, shared: Chorus, finished: Path) -> None:
    looked_at(browser, "finished", served(shared, finished), "Return of an episode")


def test_a_report_opened_as_a_file_asks_nobody_for_anything(browser: Any, shared: Chorus, finished: Path) -> None:
    other = shared.folder / "other"
    shared.run(
        *("train", "--out", other, "--no-pictures", "--updates", "16", "--actors", "1", "--seed", "1"),
        *("--set", "task.episodes=4", "--env", "spread"),
    )
    for name, runs, shown in (("report", [finished], "untrained"), ("comparison", [finished, other], "Settings that")):
        shared.run("report", *runs, "--out", shared.folder / f"{name}.html")
        context = browser.new_context(offline=True)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request, into=asked: into.append(request.url))
        page.goto((shared.folder / f"{name}.html").as_uri())
        page.get_by_text(shown).first.wait_for(timeout=20_000)
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        context.close()
        looked_at(browser, name, (shared.folder / f"{name}.html").as_uri(), shown)


def test_a_large_run_is_looked_at_by_keyboard_alone(browser: Any, large: str) -> None:
    looked_at(browser, "large", large, "Does it learn?")
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.goto(large)
    page.get_by_text(f"{ACTORS} connected").wait_for(timeout=20_000)
    assert page.locator("tbody tr", has_text="actor-").count() == 100, "the rest is found by name"
    page.get_by_label("Find").first.focus()
    page.keyboard.type("actor-99")
    assert page.locator("tbody tr", has_text="actor-").count() == 11
    page.get_by_role("button", name="tasks done").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    assert page.locator("tbody tr", has_text="actor-").first.inner_text().startswith("actor-999")
    chart = page.get_by_role("img", name="Return of an episode").first
    chart.focus()
    page.keyboard.press("End")
    assert "smoothed" in page.locator("#announcements").inner_text()
    last = page.locator("#announcements").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#announcements").inner_text() != last
    page.get_by_role("radio", name="updates").focus()
    page.keyboard.press("Space")
    assert "by updates" in (
        page.get_by_role("img", name="Return of an episode").first.get_attribute("aria-label") or ""
    )
    page.close()


def test_a_run_with_a_fault_says_in_words_what_went_wrong(browser: Any, shared: Chorus, faulty: Path) -> None:
    looked_at(browser, "fault", served(shared, faulty), "What went wrong")


def test_a_run_at_its_start_and_in_its_middle(browser: Any, shared: Chorus) -> None:
    run = shared.folder / "alive"
    process = shared.start("train", "--out", run, "--actors", "1", "--updates", "100000")
    lines = until(lambda: [line for line in process.out.read_text().splitlines() if line.startswith("page  ")])
    address = lines[0].split()[-1]
    looked_at(browser, "start", address, "Update")
    until(lambda: len(rows(run)) > 20)
    looked_at(browser, "middle", address, "Where the time goes")
