"""A page that stays open beside the decks: what it no longer shows is forgotten, late answers harm nothing, and the
focus stays where the work is."""

import re
from contextlib import suppress
from pathlib import Path

import pytest

from musicrec.web.settings import ServerSettings
from tests.web.page_server import ask, running, until, write_music

pytestmark = pytest.mark.slow

# Counts those who listen to what parts of the page tell each other, and the streams of jobs that are open.
COUNT = """
window.listeners = 0;
window.streams = { open: 0, most: 0 };
const add = EventTarget.prototype.addEventListener;
EventTarget.prototype.addEventListener = function (name, act, options) {
  if (Object.getPrototypeOf(this) === EventTarget.prototype && !(this instanceof AbortSignal)) {
    window.listeners += 1;
    options?.signal?.addEventListener("abort", () => { window.listeners -= 1; });
  }
  return add.call(this, name, act, options);
};
const Stream = window.EventSource;
window.EventSource = class extends Stream {
  constructor(...values) {
    super(...values);
    window.streams.open += 1;
    window.streams.most = Math.max(window.streams.most, window.streams.open);
  }
  close() {
    if (!this.ended) window.streams.open -= 1;
    this.ended = true;
    super.close();
  }
};
"""


def restart(page, script: str, view: str = "find"):
    """Load a page again with a script that runs before its own."""
    page.add_init_script(script)
    page.reload()
    page.goto(f"{page.url.split('#')[0]}#/{view}")
    page.wait_for_selector("main[data-view] > *")
    return page


def focused(page) -> str:
    """What has the focus, by its name or its text."""
    return page.evaluate(
        "(() => { const one = document.activeElement; return one.getAttribute('aria-label') ?? one.textContent; })()"
    )


def hold(page, pattern: str | re.Pattern) -> list:
    """Hold requests of a pattern back; return the list that they come into. `release` lets them go."""
    held: list = []
    page.route(pattern, lambda route: held.append(route))
    return held


def release(page, pattern: str | re.Pattern, held: list) -> None:
    """Let requests go that were held back."""
    from playwright.sync_api import Error

    for route in held:
        with suppress(Error):  # the page has given it up
            route.continue_()
    page.unroute(pattern)


def test_what_was_shown_is_forgotten(open_page):
    page = restart(open_page(), COUNT)
    counts = []
    for title in ("Cedar", "Dune", "Cedar", "Dune"):
        ask(page, title)
        page.locator(".result .play").first.click()
        page.locator(".result.playing").wait_for()
        for row in (0, 1):
            page.locator(".result .why").nth(row).click()
            page.locator(".result .lane").nth(2 * row).wait_for()
        page.get_by_role("button", name="More for").nth(1).click()
        page.get_by_role("menu").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press(" ")
        counts.append(page.evaluate("window.listeners"))
    assert counts[0] > 10
    assert counts[1] == counts[3], counts


def test_scrolling_leaves_nothing_behind(open_page):
    page = restart(open_page(), COUNT, "library")
    page.locator(".table-row").first.wait_for()
    before = page.evaluate("window.listeners")
    for column in ("Artist", "BPM", "Title"):
        page.get_by_role("columnheader", name=column).get_by_role("button").click()
        page.locator(f"[aria-sort]:has-text('{column}')").wait_for()
    assert page.evaluate("window.listeners") == before


def test_each_key_is_listed_once(open_page):
    page = open_page("playlists")
    page.get_by_role("button", name="New playlist").click()
    page.get_by_role("dialog").get_by_role("combobox").fill("Keys")
    page.keyboard.press("Enter")
    for number, title in enumerate(("Amber", "Birch", "Cedar"), 1):
        page.get_by_role("combobox", name="Add a track to this playlist").fill(title)
        page.get_by_role("option", name=title).wait_for()
        page.keyboard.press("Enter")
        page.locator(".playlist-row").nth(number - 1).wait_for()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    texts = page.locator(".keys dd").all_inner_texts()
    assert texts.count("Search") == 1 and "Go to Map" in texts


def test_an_upload_that_is_cancelled_while_it_is_sent_is_not_asked_about(open_page, tmp_path):
    (file,) = write_music(tmp_path / "new", ("Meadow",), seed=6).iterdir()
    page = open_page()
    answered = []
    page.on("response", lambda response: "/uploads?" in response.url and answered.append(response.status))

    held = hold(page, "**/api/v1/uploads*")
    page.locator("input[type=file]").first.set_input_files([file])
    page.get_by_role("button", name="Cancel meadow.flac").click()
    release(page, "**/api/v1/uploads*", held)
    page.wait_for_timeout(1500)
    assert page.locator(".uploads li").count() == 0
    assert page.locator(".welcome").is_visible() and not answered


def test_jobs_share_one_stream_and_outlive_it(open_page, tmp_path):
    files = sorted(write_music(tmp_path / "new", ("Meadow", "Nook"), seed=7).iterdir())
    page = restart(open_page(), COUNT)
    page.watched.expected.append("502")
    broken: list[str] = []

    def answer(route) -> None:  # as a proxy does while the server behind it starts again
        if broken:
            route.continue_()
        else:
            broken.append(route.request.url)
            route.fulfill(status=502, body="bad gateway")

    page.route("**/events", answer)
    page.locator("input[type=file]").first.set_input_files(files)
    page.locator(".uploads .facts").nth(1).wait_for(timeout=60_000)
    assert page.locator(".uploads .facts .name").all_inner_texts() == ["Meadow", "Nook"]
    assert broken and page.evaluate("window.streams.most") == 1
    until(page, "window.streams.open === 0")


def test_of_files_that_are_dropped_together_the_first_is_asked_about_whichever_is_sent_first(open_page, tmp_path):
    files = sorted(write_music(tmp_path / "new", ("Meadow", "Nook"), seed=9).iterdir())
    page = open_page()
    held = hold(page, "**/uploads?name=meadow.flac")
    page.locator("input[type=file]").first.set_input_files(files)
    page.locator(".uploads .facts", has_text="Nook").wait_for(timeout=60_000)
    assert not page.locator(".chip-of").count()
    release(page, "**/uploads?name=meadow.flac", held)
    page.locator(".chip-of", has_text="Meadow").wait_for(timeout=60_000)
    assert page.locator(".uploads .facts .name").all_inner_texts() == ["Meadow", "Nook"]
    page.get_by_role("button", name="Ask about all").click()
    page.locator(".chip-of", has_text="also like").wait_for()
    assert page.locator(".chip-of .name").all_inner_texts() == ["Ada – Meadow", "Bo – Nook"]


def test_cancel_keeps_the_focus_while_a_file_is_on_its_way(open_page, tmp_path):
    (file,) = write_music(tmp_path / "new", ("Meadow",), seed=8).iterdir()
    page = open_page()
    held = hold(page, "**/api/v1/uploads*")
    page.locator("input[type=file]").first.set_input_files([file])
    page.get_by_role("button", name="Cancel meadow.flac").focus()
    page.evaluate("window.first = document.activeElement")
    release(page, "**/api/v1/uploads*", held)
    page.locator(".uploads li", has_text="analys").wait_for()
    assert page.evaluate("window.first.isConnected") and focused(page) == "Cancel meadow.flac"
    page.locator(".result:not(.skeleton)").first.wait_for(timeout=60_000)


def test_a_view_that_was_left_does_not_come_back(open_page):
    page = open_page("library")
    page.locator(".table-row").first.wait_for()
    track = page.locator(".table-row").first.get_attribute("data-track")
    held = hold(page, f"**/api/v1/tracks/{track}")
    page.evaluate(f"location.hash = '#/sets?start={track}'")
    until(page, "document.querySelector('main').dataset.view === 'sets'")
    page.evaluate("location.hash = '#/history'")
    page.get_by_role("heading", name="History").wait_for()
    release(page, f"**/api/v1/tracks/{track}", held)
    page.wait_for_timeout(300)
    assert page.get_by_role("heading", name="History").is_visible() and page.url.endswith("#/history")


def test_keys_act_on_the_point_whose_name_is_shown(open_page):
    page = open_page("map")
    canvas = page.locator(".map canvas")
    page.locator(".legend button").first.wait_for()
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.locator(".map-name").wait_for()
    until(page, "document.querySelector('canvas').dataset.track")
    said = []
    page.on("request", lambda request: "feedback" in request.url and said.append(request.post_data))
    pattern = re.compile("/api/v1/tracks/[0-9a-f]+$")
    held = hold(page, pattern)
    for key in ("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):  # one of these ways has another point
        page.keyboard.press(key)
        page.wait_for_timeout(100)
        if held:
            break
    page.keyboard.press("l")
    page.wait_for_timeout(200)
    assert held and not said, "no track is named yet"
    release(page, pattern, held)
    until(page, "document.querySelector('canvas').dataset.track")
    page.keyboard.press("l")
    page.locator(".toast", has_text="You like").wait_for()
    assert len(said) == 1
    page.keyboard.press("z")
    page.locator(".toast", has_text="Taken back").wait_for()


def test_the_focus_stays_where_it_is(open_page):
    page = open_page()
    ask(page, "Cedar")
    play = page.locator(".query-head .play")
    play.focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelector('.player .play').title === 'Pause'")
    page.wait_for_timeout(300)
    assert focused(page).startswith("Pause") and page.locator(".query-head .play:focus").count() == 1
    page.keyboard.press("Enter")
    more = page.locator(".result").first.get_by_role("button", name="More for")
    more.click()
    assert more.get_attribute("aria-expanded") == "true"
    page.locator(".menu").get_by_role("button", name="4 stars").focus()
    page.keyboard.press("Enter")
    page.locator(".toast", has_text="★★★★").wait_for()
    assert focused(page) == "4 stars"
    page.keyboard.press("Escape")
    assert more.get_attribute("aria-expanded") == "false" and page.locator(".menu").count() == 0
    more.click()
    more.click()
    assert page.locator(".menu").count() == 0
    page.keyboard.press("z")
    page.locator(".toast", has_text="Taken back").wait_for()

    page.goto(f"{page.url.split('#')[0]}#/map")
    page.locator(".legend button").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".legend button:focus[aria-pressed=true]").count() == 1

    page.goto(f"{page.url.split('#')[0]}#/sets")
    page.get_by_role("combobox", name="Start with").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    assert focused(page) == "Remove Ada – Amber"
    page.get_by_role("button", name="min", exact=True).focus()
    page.keyboard.press("Enter")
    assert focused(page) == "min"
    page.get_by_role("button", name="tracks", exact=True).click()
    page.get_by_role("button", name="Build the set").click()
    page.locator(".set-track").nth(1).wait_for()
    lock = page.locator(".set-track").nth(1).get_by_role("button", name="Lock")
    name = lock.get_attribute("aria-label")
    lock.focus()
    page.keyboard.press("Enter")
    page.locator(".set-track [aria-pressed=true]").wait_for()
    assert focused(page) == name


def test_choosing_a_playlist_keeps_the_focus_in_the_list(open_page):
    page = open_page("playlists")
    for name in ("First of two", "Second of two"):
        page.get_by_role("button", name="New playlist").click()
        page.get_by_role("dialog").get_by_role("combobox").fill(name)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=name).wait_for()
    page.get_by_role("link", name="First of two").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="First of two").wait_for()
    until(page, "document.activeElement !== document.body")
    assert "First of two" in focused(page)


def test_a_browser_that_keeps_nothing_shows_the_page(open_page):
    page = restart(
        open_page(),
        "for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, "
        "{ get() { throw new DOMException('no', 'SecurityError'); } });",
    )
    ask(page, "Cedar")
    page.get_by_role("button", name="Switch between dark and light").click()
    until(page, "document.documentElement.dataset.theme")
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keyboard").wait_for()


def test_a_tab_does_not_show_what_another_person_asked(open_page, folder: Path, tmp_path):
    settings = ServerSettings(
        library=folder / "library.sqlite", device="cpu", users=True, processes=0, profiles=tmp_path / "profiles.sqlite"
    )
    with running(settings) as address:
        page = open_page(at=address)
        for name in ("Ann", "Ben"):
            page.get_by_role("dialog").get_by_label("Name").fill(name)
            page.get_by_role("dialog").get_by_label(re.compile("PIN")).fill("4711")
            page.get_by_role("button", name="I am new").click()
            page.get_by_role("dialog").wait_for(state="detached")
            if name == "Ann":
                ask(page, "Cedar")
                page.get_by_role("button", name="User: Ann; switch").click()
                with page.expect_event("load"):
                    page.get_by_role("button", name="Sign out").click()
                page.get_by_role("dialog").wait_for()
        page.locator(".welcome").wait_for()
        assert page.locator(".result").count() == 0


def test_a_silent_server_is_not_taken_for_a_damaged_file(open_page):
    page = open_page("library")
    page.watched.expected.extend(["ERR_FAILED", "ERR_CONNECTION"])
    page.locator(".table-row").first.wait_for()
    page.route("**/api/v1/**", lambda route: route.abort())
    page.locator(".table-row .play").first.click()
    page.locator("#offline").wait_for()
    page.wait_for_timeout(300)
    assert page.locator(".toast.error").count() == 0


def test_a_server_that_is_silent_at_first_is_waited_for(open_page):
    page = open_page()
    page.watched.expected.extend(["ERR_FAILED", "ERR_CONNECTION"])
    page.route("**/api/v1/**", lambda route: route.abort())
    page.reload()
    page.locator("#offline").wait_for()
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Keyboard shortcuts").wait_for()
    page.locator(".welcome").wait_for()
    assert page.get_by_role("button", name="Keyboard shortcuts").count() == 1 and page.locator("#offline").is_hidden()
