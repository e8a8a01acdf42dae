"""The page in a browser, on a library of 100,000 invented tracks: how soon each view is there, and how it scrolls.

    python benchmarks/page.py --rows 100000 --out FOLDER

The library is that of `server.py`, and the server runs as a user runs it, in a process of its own. The browser is
Debian's Chromium without a screen and without a GPU, which draws more slowly than a desktop does. Scrolled is as with
a wheel, which is turned fast, and with jumps of the scroll bar to any place. A frame is the time between two callbacks
of requestAnimationFrame: 17 ms if nothing is late. "rows" is the time until every place in sight has its row.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from server import prepare

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--disable-background-networking"]
TABLE = ".table-body"

WHEEL = """async ([pixels, seconds]) => {
  const body = document.querySelector(".table-body"), frames = [], rows = [];
  const inSight = () => {
    const box = body.getBoundingClientRect();
    return [...body.querySelectorAll(".table-space > [role=row]")].filter((row) => {
      const place = row.getBoundingClientRect();
      return place.bottom > box.top + 40 && place.top < box.bottom;
    }).length;
  };
  const wanted = inSight();
  const end = performance.now() + 1000 * seconds;
  let before = performance.now();
  while (performance.now() < end) {
    body.scrollTop += pixels;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - before);
    rows.push(inSight() / wanted);
    before = now;
  }
  return {frames, rows};
}"""

JUMP = """async (share) => {
  const body = document.querySelector(".table-body");
  const box = body.getBoundingClientRect();
  const begin = performance.now();
  body.scrollTop = share * (body.scrollHeight - body.clientHeight);
  for (;;) {
    await new Promise(requestAnimationFrame);
    const tall = [...body.querySelectorAll(".table-space > [role=row]")].map((row) => row.getBoundingClientRect());
    const heights = tall.map((one) => Math.min(one.bottom, box.bottom) - Math.max(one.top, box.top + 37));
    const covered = heights.filter((height) => height > 0).reduce((sum, height) => sum + height, 0);
    if (covered > 0.97 * (body.clientHeight - 40)) return performance.now() - begin;
  }
}"""


def timed(act: Callable[[], Any]) -> float:
    """Return how many milliseconds something takes."""
    begin = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - begin)


def measure(page: Any, address: str) -> dict[str, list[float]]:
    """Return {what: milliseconds of each time}."""
    found: dict[str, list[float]] = {}
    found["first view, first time"] = [
        timed(lambda: (page.goto(address), page.locator("main h1").first.wait_for(state="attached")))
    ]

    def view(name: str, wait: str) -> float:
        return timed(lambda: (page.evaluate(f"location.hash = '#/{name}'"), page.locator(wait).first.wait_for()))

    found["table, first time"] = [view("library", f"{TABLE} [role=row] .title")]
    steady = page.evaluate(WHEEL, [120, 6])
    fast = page.evaluate(WHEEL, [1200, 6])
    found["frame, wheel (7,000 px/s)"] = steady["frames"][1:]
    found["frame, wheel (70,000 px/s)"] = fast["frames"][1:]
    page.wait_for_timeout(500)
    rng = np.random.default_rng(0)
    found["rows after a jump"] = [page.evaluate(JUMP, float(share)) for share in rng.random(40)]
    search = page.get_by_role("searchbox", name="Search")

    def typed(text: str) -> float:
        before = page.locator("h1 small").inner_text()
        search.fill(text)
        begin = time.perf_counter()
        while page.locator("h1 small").inner_text() == before and time.perf_counter() < begin + 10:
            page.wait_for_timeout(5)
        return 1000 * (time.perf_counter() - begin)

    found["table after typing"] = [typed(word) for word in ("artist 12", "track 001", "album 7", "artist 3", "")]
    shown = ".view-head:has(#map-help) h1 small:not(:text('is drawn…'))"
    found["map, first time"] = [view("map", shown)]
    found["map, again"] = []
    for _ in range(3):
        view("library", TABLE)
        found["map, again"].append(view("map", shown))
    found["rows in sight while scrolling, %"] = [100 * share for share in steady["rows"]]
    found["the same, 70,000 px/s"] = [100 * share for share in fast["rows"]]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="number of tracks")
    parser.add_argument("--out", type=Path, help="folder for the library, which is kept and used again")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    folder = options.out.resolve() if options.out else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    library = prepare(folder, options.rows)
    words = [sys.executable, "-m", "musicrec", "serve", "--library", str(library), "--port", "0", "--no-open"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().split()[1]
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            found = measure(browser.new_page(viewport={"width": 1280, "height": 900}), address)
            browser.close()
    finally:
        server.terminate()
        server.wait()
    table = Table("what, in ms", "number", "p50", "p95", "slowest", box=MARKDOWN)
    for name, values in found.items():
        figures = (*np.percentile(values, [50, 95]), max(values))
        if "%" in name or "same" in name:
            figures = (*np.percentile(values, [50, 5]), min(values))
        table.add_row(name, f"{len(values)}", *(f"{figure:.0f}" for figure in figures))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
