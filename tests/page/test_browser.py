"""The page as a person sees it, in a headless Chromium: at every width, light and dark, without a fault.

`make page` runs these: they need Playwright and a Chromium. Screenshots go to the folder that CHORUS_SCREENSHOTS names.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
    settings = ("--updates", "40", "--actors", "2", "--set", "task.episodes=8", "--set", "evaluate.every=5")
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


def test_a_run_with_a_fault_says_in_words_what_went_wrong(browser: Any, shared: Chorus, faulty: Path) -> None:
    looked_at(browser, "fault", served(shared, faulty), "What went wrong")


def test_a_run_at_its_start_and_in_its_middle(browser: Any, shared: Chorus) -> None:
    run = shared.folder / "alive"
    process = shared.start("train", "--out", run, "--actors", "1", "--updates", "100000")
    address = until(lambda: next((line for line in process.out.read_text().splitlines() if "page:" in line), None))
    address = address.split()[-1]
    looked_at(browser, "start", address, "Update")
    until(lambda: len(rows(run)) > 20)
    looked_at(browser, "middle", address, "Where the time goes")
