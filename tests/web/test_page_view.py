"""The view that CONTRIBUTING.md adds to the page: one module and one line."""

import re
import shutil
from pathlib import Path

import pytest

from musicrec.web import app
from musicrec.web.settings import ServerSettings
from tests.web.page_server import running

pytestmark = pytest.mark.slow

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def block(after: str) -> str:
    """The JavaScript below a line."""
    found = re.search(rf"^{re.escape(after)}\n\n```js\n((?s:.*?))^```", TEXT, re.MULTILINE)
    assert found, f"CONTRIBUTING.md has no block of JavaScript below {after}"
    return found[1]


def test_the_view_of_the_guide(open_page, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(app.STATIC, tmp_path / "static")
    (tmp_path / "static" / "js" / "sources.js").write_text(block("`musicrec/web/static/js/sources.js`"))
    views = tmp_path / "static" / "js" / "views.js"
    head, end, rest = views.read_text().partition("};\n")
    views.write_text(head + block("The line in `VIEWS`:") + end + rest)
    monkeypatch.setattr(app, "STATIC", tmp_path / "static")
    with running(ServerSettings(library=folder / "library.sqlite", device="cpu", processes=0)) as address:
        page = open_page(at=address)
        page.get_by_role("link", name="Sources").click()
        page.get_by_role("heading", name="Sources").wait_for()
        assert all(re.fullmatch(r".+: \d+ files?", one) for one in page.locator("main li").all_inner_texts())
        assert page.locator("main li").count() > 0
        page.keyboard.press("g")
        page.keyboard.press("f")
        page.locator(".welcome").wait_for()
        page.keyboard.press("g")
        page.keyboard.press("o")
        page.get_by_role("heading", name="Sources").wait_for()
        assert page.url.endswith("#/sources") and page.title() == "Sources · musicrec"
