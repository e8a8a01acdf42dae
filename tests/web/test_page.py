"""The page in a browser, as people use it: each test is a walk."""

import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from musicrec.recommend.sets.curve import EnergyCurve
from musicrec.web.settings import ServerSettings
from tests.web.page_server import PATIENCE_S, TITLES, ask, running, until, write_music

pytestmark = pytest.mark.slow

VIEWS = ("find", "library", "map", "sets", "playlists", "history")


def titles(page) -> list[str]:
    return page.locator(".result .title").all_inner_texts()


def toast(page) -> str:
    page.locator(".toast").last.wait_for()
    return page.locator(".toast").last.inner_text()


def choose_playlist(page, name: str) -> None:
    page.get_by_role("dialog").get_by_role("combobox").fill(name)
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for(state="detached")


def test_a_dropped_file_is_analysed_and_gets_an_answer(open_page, tmp_path):
    (file,) = write_music(tmp_path / "new", ("Meadow",), seed=5).iterdir()
    page = open_page()
    page.locator("input[type=file]").first.set_input_files([file])
    page.locator(".uploads li").wait_for()
    page.locator(".result:not(.skeleton)").first.wait_for(timeout=60_000)
    assert "Meadow" in page.locator(".query-panel h2").inner_text()
    assert len(titles(page)) == len(TITLES)
    assert page.get_by_text("not in the library").is_visible()
    page.get_by_text("Over time: spectrogram").click()
    page.get_by_role("img", name=re.compile("Mel spectrogram")).wait_for(timeout=30_000)
    assert page.get_by_role("img", name=re.compile("Zero crossings over time")).is_visible()
    page.get_by_role("button", name="Play Ada – Meadow").first.click()
    until(page, "document.querySelector('.clock').textContent !== '0:00'")


def test_play_a_result_and_compare_it_with_the_query(open_page):
    page = open_page()
    ask(page, "Cedar")
    page.locator(".result .play").first.click()
    first = titles(page)[0]
    until(page, "document.querySelector('.seek').value > 100")
    assert first in page.locator(".player .now").inner_text()
    page.keyboard.press("b")
    page.locator(".player .now strong", has_text="Cedar").wait_for()
    until(page, "document.querySelector('.seek').value > 100")  # it goes on at the same place
    page.goto(page.url.split("#")[0] + "#/library")
    page.locator(".table-row").first.wait_for()
    assert page.locator(".player .now strong", has_text="Cedar").is_visible(), "it plays on while one browses"
    page.keyboard.press("n")
    page.keyboard.press(" ")


def test_without_sound_output_the_file_is_not_blamed(open_page):
    """Firefox says OnMediaSinkAudioError when a sound card is unplugged."""
    page = open_page("library")
    page.locator(".table-row .play").first.click()
    until(page, "document.querySelector('.seek').value > 0")
    page.evaluate("""async () => {
        const { audio } = await import("/js/player.js");
        Object.defineProperty(audio, "error", { value: { code: 3, message: "OnMediaSinkAudioError" } });
        audio.dispatchEvent(new Event("error"));
    }""")
    page.locator(".toast", has_text="no sound output").wait_for()


def test_a_format_that_this_browser_does_not_play_is_fetched_as_mp3(open_page):
    page = open_page("library")
    page.route(re.compile("/audio$"), lambda route: route.fulfill(content_type="audio/unknown", body="no audio"))
    page.locator(".table-row .play").first.click()
    until(page, "document.querySelector('.seek').value > 0")
    assert not page.locator(".toast").count()


def test_the_first_question_is_asked_once(open_page):
    page, asked = open_page(), []
    page.goto(page.url.partition("#")[0])
    page.get_by_text("Which track are you playing?").wait_for()
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/api/v1/query") else None)
    ask(page, "Cedar")
    page.wait_for_timeout(300)
    assert len(asked) == 1


def test_the_other_track_is_loaded_before_one_switches_to_it(open_page):
    page = open_page()
    ask(page, "Cedar")
    page.locator(".result .play").first.click()
    first, fetched = titles(page)[0], []
    until(page, "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/audio')).length >= 2")
    until(page, "document.querySelector('.seek').value > 100")
    page.on("request", lambda request: fetched.append(request.url))
    for name in ("Cedar", first):
        page.keyboard.press("b")
        page.locator(".player .now strong", has_text=name).wait_for()
        until(page, "document.querySelector('.player .play').title === 'Pause'")
    assert not [url for url in fetched if url.endswith("/audio")], "so A/B has no gap"
    page.keyboard.press(" ")
    until(page, "document.querySelector('.player .play').title === 'Play'")


def test_measuring_a_track_can_be_cancelled_and_left(open_page):
    job = {"id": "0" * 16, "kind": "details", "state": "running", "done": 1, "total": 3, "message": "decoding"}
    job |= {"track": None, "result": None}
    cancelled = []

    def answer(route):
        if route.request.method == "DELETE":
            cancelled.append(job["id"])
            job["state"] = "cancelled"
        if route.request.url.endswith("/events"):
            route.fulfill(content_type="text/event-stream", body=": nothing yet\n\n")
        else:
            route.fulfill(json=job)

    def start(route):
        job["state"] = "running"
        route.fulfill(json=job)

    page = open_page()
    page.route(re.compile("/jobs/0+"), answer)
    page.route(re.compile("/details$"), start)
    ask(page, "Lagoon")
    page.get_by_text("Over time: spectrogram").click()
    page.get_by_text("Measuring the track: decoding").wait_for()
    page.get_by_role("button", name="Cancel").click()
    again = page.get_by_role("button", name="Measure the track")
    again.wait_for()
    assert len(cancelled) == 1
    again.click()
    page.get_by_text("Measuring the track: decoding").wait_for()
    ask(page, "Kelp")
    until(page, "document.querySelector('.query-panel h2').textContent === 'Kelp'")
    page.wait_for_timeout(200)
    assert len(cancelled) == 2, "what nobody waits for is given up"


@pytest.mark.parametrize("width", [360, 390, 701, 720, 820, 1100])
def test_the_buttons_of_a_row_of_the_table_are_in_sight(open_page, width):
    page = open_page("library", width=width)
    button = page.get_by_role("button", name=re.compile("More for .*Birch")).bounding_box()
    right = "body.getBoundingClientRect().left + body.clientWidth"
    edge = page.evaluate(f"(() => {{ const body = document.querySelector('.table-body'); return {right}; }})()")
    assert button["x"] + button["width"] <= edge


def test_on_a_phone_the_menu_has_what_the_row_has_no_room_for(open_page):
    page = open_page("library", width=390)
    page.get_by_role("button", name=re.compile("More for .*Birch")).click()
    page.get_by_role("menuitem", name="Never again").click()
    page.locator(".toast", has_text="Never again").get_by_role("button", name="Undo").click()
    page.locator(".toast", has_text="Taken back").wait_for()


def test_an_answer_shows_what_was_said_before_the_page_was_opened(open_page):
    page = open_page()
    ask(page, "Cedar")
    title = titles(page)[2]
    page.locator(".result", has_text=title).locator(".like").click()
    page.locator(".toast", has_text="You like").wait_for()
    page.reload()
    row = page.locator(".result:not(.skeleton)", has=page.get_by_text(title, exact=True))
    row.locator(".like[aria-pressed=true]").wait_for()
    page.keyboard.press("z")
    page.locator(".toast", has_text="Taken back").wait_for()


def test_presets_weights_filters_and_the_wheel_change_the_answer(open_page):
    page = open_page()
    ask(page, "Cedar")
    everything = titles(page)
    page.get_by_role("button", name="mix", exact=True).click()
    page.locator(".steps-text", has_text="BPM").wait_for()
    assert page.get_by_label("Tempo", exact=True).input_value() == "6"
    page.get_by_label("Tempo", exact=True).select_option("")
    page.locator(".steps-text", has_text="BPM").wait_for(state="detached")
    page.get_by_role("button", name="balanced").click()
    until(page, f"document.querySelectorAll('.result').length == {len(everything)}")
    page.get_by_label("Not this artist").check()
    until(page, "[...document.querySelectorAll('.result .artist')].every((one) => one.textContent !== 'Cy')")
    slider = page.get_by_role("slider", name="tempo", exact=True)
    slider.focus()
    page.keyboard.press("End")
    page.locator(".slider.changed").wait_for()
    page.get_by_text("Reset to the preset").click()
    page.locator(".slider.changed").wait_for(state="detached")
    code = page.locator(".result .key").first.inner_text()
    page.get_by_role("group", name="Camelot wheel").get_by_role("button", name=f"{code},").click()
    until(page, f"[...document.querySelectorAll('.result .key')].every((one) => one.textContent === '{code}')")
    page.get_by_role("button", name=f"Only {code}").click()
    until(page, f"document.querySelectorAll('.result').length == {len(everything)}")
    tempo = page.get_by_role("table").get_by_role("rowheader", name="tempo")
    for _ in range(5):  # results that are drawn anew at this moment close what was opened
        page.locator(".result .why").first.click()
        page.wait_for_timeout(1000)
        if tempo.is_visible():
            break
    tempo.wait_for()


def test_several_seeds_and_unlike(open_page):
    page = open_page()
    ask(page, "Cedar")
    page.locator(".result").first.focus()
    second = titles(page)[0]
    page.keyboard.press("a")
    page.locator(".chip-of", has_text=second).wait_for()
    until(page, f"document.querySelectorAll('.result').length == {len(TITLES) - 2}")
    page.locator(".result").last.get_by_role("button", name="More for").click()
    page.get_by_role("menuitem", name="Unlike").click()
    page.locator(".chip-of.unlike").wait_for()
    page.locator(".chip-of.unlike").get_by_role("button", name="Remove").click()
    page.locator(".chip-of.unlike").wait_for(state="detached")


def test_a_path_to_another_track(open_page):
    page = open_page()
    ask(page, "Cedar")
    page.get_by_role("combobox", name="Path to").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    page.locator(".chip-of.towards", has_text="Amber").wait_for()
    until(page, "[...document.querySelectorAll('.result .title')].every((one) => !one.textContent.includes('Amber'))")
    page.locator(".towards").get_by_role("button", name="Remove").click()
    page.locator(".chip-of.towards").wait_for(state="detached")
    until(page, f"document.querySelectorAll('.result').length == {len(TITLES) - 1}")
    assert page.get_by_role("combobox", name="Path to").is_visible()


def test_a_path_has_as_many_steps_as_one_wants(open_page):
    page = open_page()
    ask(page, "Cedar")
    page.get_by_role("combobox", name="Path to").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="6 tracks on the way").wait_for()
    assert not page.get_by_role("button", name="Show more").count()
    page.get_by_label("Tracks on the way").select_option("2")
    page.get_by_role("heading", name="2 tracks on the way").wait_for()


def drop(page, *paths: Path) -> None:
    """Drop files and folders on the page."""
    browser = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 400, "data": data})


def test_of_a_folder_that_is_dropped_each_track_is_listed_with_what_it_is(open_page, tmp_path):
    folder = write_music(tmp_path / "promos", ("Moss", "Nutmeg", "Olive"), seed=6)
    (folder / "cover.jpg").write_bytes(b"picture")
    (folder / "a broken one.mp3").write_bytes(b"no audio " * 5000)
    page = open_page()
    page.get_by_role("heading", name="Which track are you playing?").wait_for()
    page.watched.expected.append("Failed to load resource")
    drop(page, folder)
    rows = page.locator(".uploads .done")
    until(page, "document.querySelectorAll('.uploads .done .bpm').length === 3", within_s=120)
    assert [row.split("\n")[0] for row in rows.all_inner_texts()] == ["Moss", "Nutmeg", "Olive"]
    assert rows.locator(".key").count() == 3
    assert "a broken one.mp3" in page.locator(".uploads .failed").inner_text()
    assert not page.locator(".toast").count(), "what is wrong stands in the list"
    assert page.locator(".chip-of").all_inner_texts() == ["query\nAda – Moss"], "the first one that can be read"
    page.get_by_role("button", name="Ask about olive.flac").click()
    page.locator(".query-panel h2", has_text="Olive").wait_for()
    page.get_by_role("button", name="Also like moss.flac").click()
    page.locator(".chip-of", has_text="also like").wait_for()
    page.get_by_role("button", name="Clear this list").click()
    page.locator(".uploads").wait_for(state="hidden")


def test_like_skip_never_again_and_undo(open_page):
    page = open_page()
    ask(page, "Dune")
    liked, skipped, banned = titles(page)[:3]
    row = page.locator(".result", has_text=liked).first
    row.get_by_role("button", name="Like: ").click()
    assert liked in toast(page)
    assert row.get_by_role("button", name="Like: ").get_attribute("aria-pressed") == "true"
    page.locator(".result", has_text=skipped).first.get_by_role("button", name="Not now").click()
    page.locator(".result .title", has_text=skipped).wait_for(state="detached")
    page.locator(".toast.done", has_text=skipped).get_by_role("button", name="Undo").click()
    page.locator(".result .title", has_text=skipped).wait_for()
    page.locator(".result", has_text=banned).first.focus()
    page.keyboard.press("d")
    page.locator(".result .title", has_text=banned).wait_for(state="detached")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.locator(".events li", has_text=banned).wait_for()
    assert "never again" in page.locator(".events li").first.inner_text()
    page.get_by_role("button", name="Undo the last").click()
    page.locator(".toast", has_text="Taken back").wait_for()
    page.get_by_role("button", name="Undo the last").click()
    page.locator(".events li:not(.muted)", has_text=liked).wait_for(state="detached")


def test_a_playlist_is_made_ordered_continued_and_exported(open_page):
    page = open_page()
    ask(page, "Ember")
    first, second = titles(page)[:2]
    for title in (first, second):
        page.locator(".result", has_text=title).first.focus()
        page.keyboard.press("p")
        choose_playlist(page, "Friday")
        page.locator(".toast", has_text="Added to Friday").first.wait_for()
    page.get_by_role("link", name="Playlists").click()
    page.get_by_role("link", name="Friday").click()
    rows = page.locator(".playlist-row strong")
    rows.nth(1).wait_for()
    assert rows.all_inner_texts() == [first, second]
    page.get_by_role("button", name=f"Move Ada – {second} up").or_(
        page.get_by_role("button", name=re.compile(f"Move .*{second} up"))
    ).first.click()
    until(page, f"document.querySelector('.playlist-row strong').textContent === '{second}'")
    page.get_by_role("button", name="Continue it").click()
    page.locator(".toast", has_text="Added:").wait_for()
    assert rows.count() == 7
    before = rows.all_inner_texts()
    page.get_by_role("button", name=re.compile(f"Move .*{second};")).focus()
    for _ in range(3):  # as fast as a key that is held down
        page.keyboard.press("ArrowDown")
    until(page, f"document.querySelectorAll('.playlist-row strong')[3].textContent === '{second}'")
    page.locator(".sorting").wait_for(state="detached")
    grip, target = page.locator(".playlist-row .grip").nth(3), page.locator(".playlist-row").first
    start, end = grip.bounding_box(), target.bounding_box()
    page.mouse.move(start["x"] + 10, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(start["x"] + 10, start["y"])
    page.mouse.move(start["x"] + 10, end["y"] + 2)
    page.mouse.up()
    page.locator(".sorting").wait_for(state="detached")
    page.reload()
    rows.nth(6).wait_for()
    assert rows.all_inner_texts() == before, "moved down by keys and up by the pointer, it is where it was"
    page.get_by_role("button", name="Export").click()
    hint = page.get_by_text("Tracks with a beat grid get its tempo")
    assert hint.is_visible()
    page.get_by_label("For", exact=True).select_option("m3u8")
    assert not hint.is_visible(), "players know no grid"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save file").click()
    text = Path(saved.value.path()).read_text()
    assert saved.value.suggested_filename == "Friday.m3u8"
    assert text.index(second.lower()) < text.index(first.lower())
    page.get_by_role("button", name="More for Friday").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.locator(".toast", has_text="Deleted: Friday").get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="Friday").wait_for()


def test_a_set_is_built_ordered_locked_and_exported(open_page):
    page = open_page("sets")
    page.get_by_role("combobox", name="Start with").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    page.get_by_label("Number of tracks").fill("5")
    box = page.locator(".curve").bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 30, steps=8)
    page.mouse.up()
    assert page.get_by_role("button", name="drawn").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Build the set").click()
    names = page.locator(".set-track strong")
    names.nth(4).wait_for()
    before = names.all_inner_texts()
    assert before[0].endswith("Amber") and page.locator(".transition").count() == 4
    assert page.get_by_role("img", name=re.compile("Set of 5 tracks")).is_visible()
    page.get_by_role("button", name=f"Move {before[2]}").focus()
    page.keyboard.press("ArrowDown")
    until(page, f"document.querySelectorAll('.set-track strong')[3].textContent === {json.dumps(before[2])}")
    page.locator(".sorting").wait_for(state="detached")
    assert "Move" in page.evaluate("document.activeElement.ariaLabel"), "the focus stays with the track"
    grip = page.locator(".set-track .grip").nth(1)
    grip.scroll_into_view_if_needed()
    start, end = grip.bounding_box(), page.locator(".set-track").nth(2).bounding_box()
    page.mouse.move(start["x"] + 10, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(start["x"] + 10, end["y"] + end["height"], steps=10)
    page.mouse.up()
    until(page, f"document.querySelectorAll('.set-track strong')[2].textContent === {json.dumps(before[1])}")
    page.locator(".sorting").wait_for(state="detached")
    page.get_by_role("button", name=f"Lock {before[1]}").click()
    moved = names.all_inner_texts()
    page.get_by_role("button", name=f"Not in this set: {before[3]}").click()
    page.get_by_text("not in this set:").wait_for()
    names.filter(has_text=before[3]).wait_for(state="detached")
    kept = [new for old, new in zip(moved, names.all_inner_texts(), strict=True) if old != before[3]]
    assert kept == [name for name in moved if name != before[3]], "only what is banned is replaced"
    page.get_by_role("button", name="Export").click()
    page.get_by_label("For", exact=True).select_option("rekordbox")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save file").click()
    assert 'Name="Amber"' in Path(saved.value.path()).read_text()


def test_an_arrow_key_that_is_held_down_moves_a_track_by_as_many_places(open_page):
    page = open_page("sets")
    page.get_by_role("combobox", name="Start with").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    page.get_by_label("Number of tracks").fill("8")
    page.get_by_role("button", name="Build the set").click()
    names = page.locator(".set-track strong")
    names.nth(7).wait_for()
    before = names.all_inner_texts()
    held = []
    page.route("**/sets/order", lambda route: held.append(route))
    page.get_by_role("button", name=f"Move {before[1]}").focus()
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    moved = [before[0], *before[2:7], before[1], before[7]]
    assert names.all_inner_texts() == moved, "the rows do not wait for the server"
    assert page.locator(".set-track .rank").all_inner_texts() == [str(place) for place in range(1, 9)]
    while len(held) < 5:
        page.wait_for_timeout(20)
    for route in reversed(held):  # the answers may come in any order
        route.continue_()
    page.locator(".sorting").wait_for(state="detached")
    assert names.all_inner_texts() == moved
    assert page.evaluate("document.activeElement.ariaLabel").startswith(f"Move {before[1]}")
    page.get_by_role("button", name="Back", exact=True).click()
    until(page, f"document.querySelectorAll('.set-track strong')[1].textContent === {json.dumps(before[1])}")


def test_a_transition_can_be_heard(open_page):
    def longer(route):
        answer = route.fetch()
        made = answer.json()
        for track in made["tracks"]:
            track["duration_s"] = 60.0  # of which the last 15 s are heard, a quarter
        route.fulfill(response=answer, json=made)

    page = open_page("sets")
    page.route("**/api/v1/sets", longer)
    page.get_by_role("combobox", name="Start with").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Build the set").click()
    hear = page.locator(".transition").first.get_by_role("button")
    hear.wait_for()
    first, second = page.locator(".set-track strong").all_text_contents()[:2]
    assert hear.get_attribute("aria-label") == f"Hear the end of {first}, then {second}"
    page.evaluate("""async () => {
        const { audio } = await import("/js/player.js");
        window.begins = new Promise((done) => {
            audio.addEventListener("seeked", () => done(audio.currentTime / audio.duration), { once: true });
        });
    }""")
    hear.click()
    assert 0.75 <= page.evaluate("window.begins") < 0.9
    page.locator(".player .now strong", has_text=second.split(" – ")[-1]).wait_for(timeout=25_000)


def test_half_tempo_is_no_jump_in_the_picture_of_a_set(open_page):
    facts = {"camelot": "8A", "key": "A minor", "energy": 5, "target": None, "genre": None}
    tempi, mixed = (120.0, 61.0, 122.0, 180.0, 180.0), (120.0, 122.0, 122.0, 180.0, 180.0)
    answer = {"score": 0.8, "minutes": 25.0, "remarks": []}
    answer["tracks"] = [
        facts | {"id": f"{i:032x}", "name": f"Track {i}", "bpm": bpm, "mixed_bpm": mixed[i], "starts_min": 5.0 * i}
        for i, bpm in enumerate(tempi)
    ]
    axes = ({"key": 1, "bpm": 1}, {"key": 0.1, "bpm": 1}, {"key": 1, "bpm": 0.3}, {"key": 1, "bpm": None})
    answer["transitions"] = [
        {"score": 0.8, "axes": of_transition, "reason": "", "filler": False} for of_transition in axes
    ]
    page = open_page("sets")
    page.route("**/api/v1/sets", lambda route: route.fulfill(json=answer))
    page.get_by_role("combobox", name="Start with").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Build the set").click()
    dots = page.locator(".bpm-dot")
    dots.nth(4).wait_for()
    heights = [float(dot.get_attribute("cy")) for dot in dots.all()]
    assert heights[1] == heights[2], "61 BPM are drawn as 122"
    assert heights[0] > heights[1] > heights[3] == heights[4]
    assert ["multiple" in dot.get_attribute("class") for dot in dots.all()] == [False, True, False, False, False]
    assert page.locator(".own-bpm").all_text_contents() == ["61"]
    assert dots.nth(1).locator("title").text_content() == "Track 1: 61.0 BPM, mixes as 122.0"
    assert ["clash" in one.get_attribute("class") for one in page.locator(".transition").all()] == [
        False, True, False, False
    ]  # fmt: skip


def test_the_shapes_of_a_curve_are_those_of_the_command(open_page):
    page = open_page("sets")
    page.get_by_role("combobox", name="Start with").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    for shape in ("flat", "rise", "peak", "wave"):
        page.get_by_role("button", name=shape, exact=True).click()
        with page.expect_request("**/api/v1/sets") as asked:
            page.get_by_role("button", name="Build the set").click()
        page.locator(".set-track").nth(1).wait_for()
        curve = np.array(asked.value.post_data_json["curve"])
        wanted = EnergyCurve(shape=shape).targets(11, curve[0, 1])
        np.testing.assert_allclose(np.interp(np.linspace(0, 1, 11), *curve.T), wanted, atol=2e-3)


def test_the_library_is_searched_filtered_and_sorted(open_page):
    page = open_page("library")
    page.locator(".table-row").nth(11).wait_for()
    assert "beats" in page.locator(".remark").text_content(), "a model that this library does not have"
    page.keyboard.press("/")
    page.keyboard.type("gro")
    until(page, "document.querySelectorAll('.table-row').length === 1")
    page.get_by_label("Search").fill("")
    until(page, "document.querySelectorAll('.table-row').length === 12")
    page.get_by_role("columnheader", name="Year").get_by_role("button").click()
    page.get_by_role("columnheader", name="Year").get_by_role("button").click()
    until(page, "document.querySelector('.table-row .title').textContent === 'Lagoon'")
    page.get_by_label("BPM from").fill("900")
    page.get_by_label("BPM from").press("Enter")
    page.get_by_text("No track passes").wait_for()
    page.get_by_role("button", name="Clear search and filters").click()
    page.locator(".table-row").nth(11).wait_for()


def test_a_table_of_a_hundred_thousand_rows_has_few_elements(open_page):
    page = open_page("history")
    unknown = {"album": None, "year": None, "rating": None, "opinion": None, "unreliable": False}
    row = unknown | {"artist": "Ada", "genre": "house", "duration_s": 200, "bpm": 120.0, "key": "A minor"}
    row |= {"camelot": "8A", "energy": 5, "loudness": -9}

    def answer(route) -> None:
        offset = int(re.search(r"offset=(\d+)", route.request.url)[1])
        rows = [row | {"id": f"{i:032x}", "title": f"Track {i}"} for i in range(offset, min(offset + 200, 100_000))]
        route.fulfill(json={"total": 100_000, "offset": offset, "tracks": rows})

    page.route(re.compile(r"/api/v1/tracks\?"), answer)
    page.get_by_role("link", name="Library").click()
    page.get_by_text("Track 0", exact=True).wait_for()
    page.locator(".table-row").first.focus()
    page.keyboard.press("End")
    page.get_by_text("Track 99999", exact=True).wait_for()
    assert page.locator(".table-row").count() < 60
    assert page.evaluate("document.activeElement.getAttribute('aria-rowindex')") == "100001"
    page.keyboard.press("Home")
    page.get_by_text("Track 0", exact=True).wait_for()


def test_the_map_plays_by_keyboard(open_page):
    page = open_page("map")
    page.get_by_text("12 tracks").wait_for()
    page.get_by_role("application", name="Map of the library").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".map-name strong").wait_for()
    name = page.locator(".map-name strong").inner_text()
    page.keyboard.press("Enter")
    page.locator(".player .now strong", has_text=name.split(" – ")[-1]).wait_for()


def test_a_folder_is_indexed_with_progress(open_page, browser, folder, tmp_path):
    shutil.copy(folder / "library.sqlite", tmp_path / "library.sqlite")
    write_music(tmp_path / "more", ("Moss", "Nettle"), seed=9)
    with running(ServerSettings(library=tmp_path / "library.sqlite", device="cpu", processes=0)) as address:
        page = open_page("library", at=address)
        page.get_by_role("button", name="Index a folder").click()
        page.get_by_label("Folder", exact=True).fill(str(tmp_path / "more"))
        page.get_by_role("button", name="Index this folder").click()
        # The process that indexes yields to all others: with three busy ones on two cores, it has a tenth of a core.
        page.locator(".toast", has_text="2 new").wait_for(timeout=180_000)
        page.get_by_role("button", name="Close", exact=True).last.click()
        page.get_by_role("gridcell", name="Bo – Nettle").or_(page.get_by_text("Nettle")).first.wait_for()
        assert page.locator("h1", has_text="14 tracks").is_visible()


def test_the_first_list_of_folders_does_not_change_what_was_typed_before_it_came(open_page):
    """The folder that is indexed is the one that was typed."""
    page, held = open_page("library"), []
    page.route(re.compile("/folders"), lambda route: held.append(route))
    page.get_by_role("button", name="Index a folder").click()
    field = page.get_by_label("Folder", exact=True)
    field.fill("/music")
    while not held:
        page.wait_for_timeout(20)
    facts = {"path": "/home/me", "parent": "/home", "folders": ["Downloads"]}
    held[0].fulfill(json=facts)
    page.get_by_role("button", name="Downloads").wait_for()
    assert field.input_value() == "/music"
    assert page.evaluate("document.activeElement.tagName") == "INPUT"


def test_who_begins_to_type_replaces_the_folder_that_is_filled_in(open_page):
    page, held = open_page("library"), []
    page.route(re.compile("/folders"), lambda route: held.append(route))
    page.get_by_role("button", name="Index a folder").click()
    field = page.get_by_label("Folder", exact=True)
    field.focus()
    while not held:
        page.wait_for_timeout(20)
    held[0].fulfill(json={"path": "/home/me", "parent": "/home", "folders": ["Downloads"]})
    page.get_by_role("button", name="Downloads").wait_for()
    assert field.input_value() == "/home/me"
    page.keyboard.insert_text("/music")
    assert field.input_value() == "/music"


def test_an_empty_library_teaches(open_page, tmp_path):
    with running(ServerSettings(library=tmp_path / "none.sqlite", device="cpu", processes=0)) as address:
        page = open_page(at=address)
        page.get_by_role("heading", name="Start with your music").wait_for()
        for name in VIEWS[1:]:
            page.get_by_role("link", name=name.capitalize()).click()
            until(page, f"document.getElementById('view').dataset.view === '{name}'")
        page.get_by_text("Nothing yet").wait_for()
        assert not page.locator(".toast.error").count()
        page.get_by_role("link", name="Find").click()
        page.get_by_role("button", name="Index a folder").click()
        page.get_by_role("dialog").wait_for()


def test_people_are_apart(open_page, folder):
    settings = ServerSettings(library=folder / "library.sqlite", device="cpu", users=True, processes=0)
    with running(settings) as address:
        page = open_page(at=address)
        for name in ("Anna", "Ben"):
            if name == "Ben":
                page.get_by_role("button", name="User: Anna").click()
            page.get_by_label("Name").fill(name)
            page.get_by_label(re.compile("PIN")).fill("4711")
            page.get_by_role("button", name="I am new").click()
            page.get_by_role("button", name=f"User: {name}").wait_for()
            if name == "Anna":
                ask(page, "Fjord")
                page.locator(".result .like").first.click()
                page.locator(".toast", has_text="You like").wait_for()
        page.get_by_role("link", name="History").click()
        page.get_by_text("Nothing yet").wait_for()
        page.get_by_role("button", name="User: Ben").click()
        page.get_by_role("button", name="Anna", exact=True).click()
        page.get_by_label(re.compile("PIN")).fill("0000")
        page.watched.expected.append("Failed to load resource")
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("alert").filter(has_text=re.compile("PIN")).wait_for()
        page.get_by_label(re.compile("PIN")).fill("4711")
        page.get_by_role("button", name="Continue").click()
        page.locator(".events .liked").wait_for()


def test_keyboard_only(open_page):
    page = open_page()
    page.get_by_role("heading", name="Which track are you playing?").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("grove")
    page.get_by_role("option", name="Grove").wait_for()
    page.keyboard.press("Enter")
    page.locator(".result:not(.skeleton)").first.wait_for()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.className").startswith("result")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator(".result.playing").wait_for()
    page.keyboard.press("w")
    page.locator(".why-panel").wait_for()
    page.keyboard.press("4")
    page.locator(".toast", has_text="★★★★").wait_for()
    page.keyboard.press("z")
    page.locator(".toast", has_text="Taken back").wait_for()
    page.keyboard.press("q")
    page.locator(".toast, .chip-of").first.wait_for()
    for key, name in zip("lmsph", VIEWS[1:], strict=True):
        page.keyboard.press("g")
        page.keyboard.press(key)
        until(page, f"document.getElementById('view').dataset.view === '{name}'")


def test_enter_before_the_answer_takes_the_first_match(open_page):
    """Whoever types and presses Enter at once gets the first match of what was typed, not of a part of it."""
    page = open_page()
    held = []
    page.route(re.compile(r"/tracks\?.*search="), lambda route: held.append(route))  # no answer comes yet

    def wait_for_request(text: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not any(f"search={text}&" in route.request.url for route in held):
            assert time.monotonic() < end, [route.request.url for route in held]
            page.wait_for_timeout(20)

    field = page.get_by_role("combobox", name="Track to ask about")
    field.fill("r")  # of Amber, Birch and others
    wait_for_request("r")
    field.fill("grove")
    page.keyboard.press("Enter")
    wait_for_request("grove")
    assert not page.locator(".chip-of").count()
    for route in held:
        route.continue_()
    page.unroute_all()
    page.locator(".chip-of", has_text="Grove").wait_for()
    page.locator(".result:not(.skeleton)").first.wait_for()
    assert field.input_value() == "" and not page.get_by_role("option", name="Grove").is_visible()
    field.fill("no such name")
    page.keyboard.press("Enter")
    page.get_by_text("No track of the library has these words.").wait_for()
    assert page.locator(".chip-of").count() == 1


def test_what_has_the_focus_is_in_sight_and_tab_passes_the_rows_of_the_table(open_page):
    page = open_page()
    ask(page, "Grove")
    place = "(() => { const box = document.activeElement.getBoundingClientRect(); return [box.top, box.bottom]; })()"
    player = page.locator(".player").bounding_box()["y"]
    for _ in range(45):
        page.keyboard.press("Tab")
        top, bottom = page.evaluate(place)
        assert top >= 0 and bottom <= player + 1, page.evaluate("document.activeElement.outerHTML")
    page.goto(page.url.split("#")[0] + "#/library")
    page.locator(".table-row").nth(3).focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("Like: ")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.player') !== null")


def test_a_silent_server_is_named_and_the_page_goes_on(open_page):
    page = open_page()
    page.watched.expected.append("net::ERR_FAILED")
    page.route("**/api/v1/**", lambda route: route.abort())
    page.get_by_role("combobox", name="Track to ask about").fill("Amber")
    page.get_by_text("The server does not answer").wait_for()
    page.unroute("**/api/v1/**")
    page.get_by_text("The server does not answer").wait_for(state="hidden")


def test_a_view_that_cannot_be_loaded_is_shown_once_the_server_answers(open_page):
    page = open_page()
    page.watched.expected.append("net::ERR_FAILED")
    page.get_by_role("heading", name="Which track are you playing?").wait_for()
    page.route("**", lambda route: route.abort())
    page.get_by_role("link", name="Library", exact=True).click()
    page.get_by_text("The server does not answer").wait_for()
    assert not page.locator(".toast").count()
    page.unroute("**")
    page.locator(".table-row").first.wait_for()


def test_the_first_tracks_are_shown_while_the_others_are_indexed(open_page):
    page = open_page("history")
    job = {"id": "0" * 16, "kind": "index", "state": "running", "done": 0, "total": 90, "message": "analysing"}
    job |= {"track": None, "result": None}
    beginning = [True]

    def session(route) -> None:
        answer = route.fetch()
        facts = answer.json()
        if beginning:
            facts["library"]["tracks"] = None
        route.fulfill(response=answer, json=facts)

    page.route("**/session", session)
    page.route(re.compile("/library/index"), lambda route: route.fulfill(json=job))
    page.route(re.compile("/jobs/0+$"), lambda route: route.fulfill(json=job))
    page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=": nothing\n\n"))
    page.route("**/folders*", lambda route: route.fulfill(json={"path": "/music", "parent": "/", "folders": []}))
    page.reload()
    page.get_by_role("link", name="Library").click()
    page.get_by_role("button", name="Index a folder").click()
    page.get_by_label("Folder", exact=True).fill("/music")
    page.get_by_role("button", name="Index this folder").click()
    page.get_by_role("button", name="Go on meanwhile").click()
    page.get_by_role("heading", name="Start with your music").wait_for()
    beginning.clear()
    job["done"] = 12
    page.locator(".table-row").nth(11).wait_for()
    assert page.get_by_text("Indexing 12 of 90").is_visible(), "it goes on"


def test_the_same_mistake_is_said_once(open_page):
    page = open_page("sets")
    for _ in range(3):
        page.get_by_role("button", name="Build the set").click()
    assert page.locator(".toast").all_inner_texts() == ["Choose the track that the set starts with."]


def test_escape_leaves_the_search_so_that_single_keys_act(open_page):
    page = open_page()
    ask(page, "Grove")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.className").startswith("result")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_long_name_of_a_dropped_file_stays_in_its_panel(open_page, tmp_path, width):
    (file,) = write_music(tmp_path / "new", ("A long name without any tags " * 6,), seed=5).iterdir()
    page = open_page(width=width)
    page.locator("input[type=file]").first.set_input_files([file])
    page.locator(".uploads li").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".result:not(.skeleton)").first.wait_for(timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    panel, figures = (page.locator(one).bounding_box() for one in (".query-main", ".query-main .figures"))
    assert figures["x"] + figures["width"] <= panel["x"] + panel["width"] + 1, "it does not lie over the wheel"


def test_a_waveform_without_a_file_says_so(open_page):
    def gone(route):
        answer = route.fetch()
        facts = answer.json()
        route.fulfill(response=answer, json=facts | {"has": facts["has"] | {"audio": False, "peaks": False}})

    page = open_page()
    page.route(re.compile(r"/tracks/[^/?]+$"), gone)
    ask(page, "Amber")
    note = page.locator(".query-panel .wave").get_by_role("status")
    note.filter(has_text="The file is not there any more").wait_for()


def test_a_file_that_cannot_be_decoded_says_so_in_place_of_its_waveform(open_page):
    page = open_page()
    page.watched.expected.append("Failed to load resource")
    why = "song.mp3: it cannot be decoded"
    page.route(re.compile(r"/peaks$"), lambda route: route.fulfill(status=422, json={"detail": why}))
    ask(page, "Amber")
    page.locator(".query-panel .wave").get_by_role("status").filter(has_text=why).wait_for()


def test_a_set_is_still_there_after_a_reload(open_page):
    page = open_page("sets")
    page.get_by_role("combobox", name="Start with").fill("Amber")
    page.get_by_role("option", name="Amber").wait_for()
    page.keyboard.press("Enter")
    page.get_by_label("Number of tracks").fill("4")
    page.locator(".curve").click()
    page.reload()
    drawn = page.get_by_role("button", name="drawn")
    assert drawn.get_attribute("aria-pressed") == "true", "the curve is kept before a set is built"
    page.get_by_label("Number of tracks").fill("4")
    page.get_by_role("button", name="Build the set").click()
    names = page.locator(".set-track strong")
    names.nth(3).wait_for()
    before = names.all_inner_texts()
    page.get_by_role("button", name=f"Lock {before[1]}").click()
    page.reload()
    names.nth(3).wait_for()
    assert names.all_inner_texts() == before
    assert page.locator(".set-track [aria-pressed=true]").count() == 1, "the lock is kept, too"


@pytest.mark.parametrize("width", [360, 820])
def test_nothing_is_wider_than_the_screen(open_page, width):
    page = open_page(width=width)
    ask(page, "Kelp")
    for view in VIEWS:
        page.goto(page.url.split("#")[0] + f"#/{view}")
        until(page, f"document.getElementById('view').dataset.view === '{view}'")
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view


@pytest.mark.parametrize("width", [360, 701, 820])
def test_running_work_does_not_lie_over_the_names_of_views(open_page, tmp_path, width):
    files = sorted(write_music(tmp_path / "new", ("Meadow", "Nook"), seed=5).iterdir())
    page = open_page(width=width)
    job = {"id": "0" * 16, "kind": "analysis", "state": "running", "done": 2, "total": 4, "message": "", "track": None}
    job |= {"result": None}
    page.route("**/uploads?*", lambda route: route.fulfill(json={"id": "u-0", "job": job}))
    page.route(re.compile("/jobs/0+$"), lambda route: route.fulfill(json=job))
    page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=": nothing\n\n"))
    page.locator("input[type=file]").first.set_input_files(files)
    page.get_by_role("button", name="Analysing 2 of 4").wait_for()
    button, links = page.locator(".working").bounding_box(), page.locator(".views a")
    for box in (link.bounding_box() for link in links.all()):
        apart = box["x"] + box["width"] <= button["x"] or box["y"] >= button["y"] + button["height"]
        assert apart or box["x"] >= button["x"] + button["width"], (box, button)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_first_view_is_small(open_page):
    page = open_page()
    page.get_by_role("heading", name="Which track are you playing?").wait_for()
    sizes = page.evaluate("performance.getEntriesByType('resource').map((one) => [one.name, one.decodedBodySize])")
    files = {name: size for name, size in sizes if "/api/" not in name and "vendor" not in name}
    assert sum(files.values()) < 150_000, files
    shifts = page.evaluate(
        "new Promise((done) => { new PerformanceObserver((list) => done(list.getEntries().map((one) => one.value)))"
        ".observe({ type: 'layout-shift', buffered: true }); setTimeout(done, 500, []); })"
    )
    assert sum(shifts) < 0.1, shifts
