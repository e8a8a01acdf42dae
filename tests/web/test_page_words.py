"""The page speaks of its own controls, and not of the options of commands."""

from pathlib import Path

from musicrec.recommend import ways_out
from musicrec.web import page_words
from tests.web.conftest import track_id

SETTINGS = Path(page_words.__file__).parent / "static" / "js" / "query_settings.js"


def test_each_option_has_its_control():
    options = {value for name, value in vars(ways_out).items() if name.isupper()}
    assert options == set(page_words.PAGE_WORDS) and len(options) == 6
    for control in page_words.PAGE_WORDS.values():
        assert "--" not in control and "musicrec" not in control
        if "“" in control:
            assert control.partition("“")[2].partition("”")[0] in SETTINGS.read_text(), "a control of that name"


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
