"""Whether people with a screen reader, or without a mouse, can use the page: axe-core in every view."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from musicrec.web.settings import ServerSettings
from tests.web import page_server
from tests.web.page_server import Watched, find_browser, make_library, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    find_browser()
    library: Path = make_library(tmp_path_factory.mktemp("page"))
    with running(ServerSettings(library=library, device="cpu", processes=0)) as address:
        yield address


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 390)])
def test_axe_finds_nothing_serious(base, theme, width):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe: pip install axe-playwright-python"
    ).Axe()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(page_server.CHROMIUM), args=page_server.FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce")
        page.set_default_timeout(page_server.PATIENCE_S * 1000)
        watched = Watched(page, base)
        found, looked = [], []

        def look(name: str) -> None:
            page.evaluate("scrollTo(0, 0)")
            looked.append(name)
            for one in axe.run(page).response["violations"]:
                if one["impact"] in ("serious", "critical"):
                    found.append((name, one["id"], [node["html"][:200] for node in one["nodes"]]))

        page.goto(base)
        page.locator(".welcome").wait_for()
        look("hint")
        page.get_by_role("combobox").fill("Amber")
        page.get_by_role("option", name="Amber").wait_for()
        look("options")
        page.keyboard.press("Enter")
        page.locator(".result:not(.skeleton)").first.wait_for()
        page.locator(".result .like").first.click()
        page.locator(".result .why").first.click()
        page.locator(".result .play").first.click()
        page.locator(".result.playing").wait_for()
        look("find")
        page.locator(".result").nth(1).get_by_role("button", name="More for").click()
        look("menu")
        page.keyboard.press("Escape")
        page.keyboard.press("p")
        page.get_by_role("dialog").get_by_role("combobox").fill("Friday")
        look("dialog")
        page.keyboard.press("Enter")
        page.locator(".toast", has_text="Added to Friday").wait_for()
        for view, shown in {
            "library": ".table-row", "map": ".legend button", "playlists": ".playlist-row", "history": ".events .kind",
        }.items():  # fmt: skip
            page.goto(f"{base}#/{view}")
            page.locator(shown).first.wait_for()
            look(view)
        page.goto(f"{base}#/sets")
        page.get_by_role("combobox", name="Start with").fill("Amber")
        page.get_by_role("option", name="Amber").wait_for()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Build the set").click()
        page.locator(".set-track").first.wait_for()
        look("sets")
        page.get_by_role("button", name="Keyboard shortcuts").click()
        look("keys")
        browser.close()
    assert len(looked) == 11
    assert not found, found
    assert not watched.problems, watched.problems
