"""The page speaks of its own controls, and not of the options of commands."""

import re
from pathlib import Path
from typing import get_args

from musicrec.recommend import ways_out
from musicrec.recommend.sets.settings import preset_names
from musicrec.web import page_words
from musicrec.web.profile_schemas import ExportRequest
from musicrec.web.schemas import QueryRequest, Sort
from tests.web.conftest import track_id

SETTINGS = Path(page_words.__file__).parent / "static" / "js" / "query_settings.js"


def test_each_option_has_its_control():
    options = {value for name, value in vars(ways_out).items() if name.isupper()}
    assert options == set(page_words.PAGE_WORDS) and len(options) == 6
    for control in page_words.PAGE_WORDS.values():
        assert "--" not in control and "musicrec" not in control
        if "“" in control:
            assert control.partition("“")[2].partition("”")[0] in SETTINGS.read_text(), "a control of that name"


def test_the_page_offers_what_the_server_takes():
    def offered(module: str, table: str) -> list[str]:
        """The values of a table of [value, text] in a module of the page."""
        block = re.search(rf"const {table} = \[(.*?)\];", (SETTINGS.parent / module).read_text(), re.DOTALL)
        assert block
        return re.findall(r'\["(\w+)", "', block[1])

    taken = {name: get_args(field.annotation) for name, field in ExportRequest.model_fields.items()}
    assert sorted(offered("export_dialog.js", "FORMATS")) == sorted(taken["format"])
    assert sorted(offered("export_dialog.js", "NOTATIONS")) == sorted(taken["key_notation"])
    assert sorted(offered("sets.js", "RULES")) == sorted(preset_names())
    passages = get_args(get_args(QueryRequest.model_fields["passage"].annotation)[0])
    assert sorted(offered("query_settings.js", "COMPARE")) == sorted(passages)
    sorts = set(re.findall(r'sort: "(\w+)"', (SETTINGS.parent / "library.js").read_text()))
    assert sorts == set(get_args(Sort))


def test_an_answer_names_the_control(client):
    asked = {"tracks": [track_id(3)], "filters": {"year": [1800, 1801]}}
    remark = client.post("/api/v1/query", json=asked).json()["remarks"][-1]
    assert remark.endswith("tracks of unknown year pass with “Unknown years, too” below What counts")


def test_an_answer_has_what_the_user_thinks(client):
    client.post("/api/v1/feedback", json={"kind": "like", "track": track_id(5)})
    client.post("/api/v1/feedback", json={"kind": "rate", "track": track_id(6), "stars": 4})
    results = client.post("/api/v1/query", json={"tracks": [track_id(3)], "k": 50}).json()["results"]
    thought = {one["id"]: (one["opinion"], one["rating"]) for one in results}
    assert thought[track_id(5)] == ("like", None) and thought[track_id(6)] == (None, 4)
    assert set(thought.values()) == {("like", None), (None, 4), (None, None)}


def test_models_that_were_fetched_since_are_a_remark_about_the_library_not_about_each_answer(client):
    (remark,) = client.get("/api/v1/library").json()["remarks"]
    assert remark.startswith("this library uses only") and remark.endswith("and index your folders again")
    assert "--" not in remark
    assert client.post("/api/v1/query", json={"tracks": [track_id(3)]}).json()["remarks"] == []
