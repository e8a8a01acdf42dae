"""What Prometheus reads."""

import re
from pathlib import Path

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from musicrec.system.version import VERSION
from musicrec.web.settings import ServerSettings
from tests.web.conftest import TRACKS, track_id
from tests.web.test_security import TOKEN

TRACK = "/api/v1/tracks/{id}"
DOCUMENT = Path(__file__).parents[2] / "docs" / "deployment.md"


def samples(client: TestClient, **headers: str) -> dict[tuple, float]:
    """{(name, labels in alphabetical order …): value}"""
    text = client.get("/metrics", headers=headers).text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_never_by_path(client: TestClient):
    for number in (1, 2, 3):
        client.get(f"/api/v1/tracks/{track_id(number)}")
        client.get(f"/nothing-{number}")
        client.request(f"INVENTED{number}", "/api/v1/tracks")
        client.get("/api/v1/tracks", headers={"host": f"evil{number}.example"})
    found = samples(client)
    requests = {name[1:]: value for name, value in found.items() if name[0] == "musicrec_http_requests_total"}
    assert requests == {
        ("GET", TRACK, "200"): 3,
        ("GET", "page", "404"): 3,
        ("other", "page", "405"): 3,
        ("GET", "", "421"): 3,
    }
    assert found["musicrec_http_request_duration_seconds_count", TRACK] == 3
    assert found["musicrec_library_tracks",] == TRACKS
    assert found["musicrec_build_info", VERSION] == 1
    assert not any(re.search("evil|nothing|INVENTED", str(name)) for name in found)


def test_jobs_and_uploads(client: TestClient):
    begin = samples(client)
    assert begin["musicrec_jobs", "analysis", "waiting"] == begin["musicrec_uploads_waiting",] == 0
    web = client.app.state.web
    web.metrics.job_ended("analysis", "failed")
    web.uploads._busy.update(ada=1, bo=1)
    after = samples(client)
    assert after["musicrec_jobs_ended_total", "analysis", "failed"] == 1 and after["musicrec_uploads_waiting",] == 2


def test_others_need_the_token(serve, settings: ServerSettings):
    client = serve(settings, token=TOKEN)
    assert client.get("/metrics").status_code == 401
    assert samples(client, authorization=f"Bearer {TOKEN}")["musicrec_library_tracks",] == TRACKS


def test_a_library_that_cannot_be_read_does_not_hide_the_rest(serve, settings: ServerSettings, tmp_path: Path):
    client = serve(settings, library=tmp_path / "none.sqlite")
    assert samples(client)["musicrec_library_tracks",] == 0


def test_all_names_are_documented(client: TestClient):
    text = client.get("/metrics").text
    names = set(re.findall(r"^# HELP (musicrec_\w+)", text, re.MULTILINE))
    assert len(names) >= 8
    assert names == set(re.findall(r"^\| `(musicrec_\w+)", DOCUMENT.read_text(), re.MULTILINE))
