"""Which requests are refused before an endpoint sees them."""

import asyncio
from configparser import ConfigParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from packaging.requirements import Requirement
from packaging.version import Version
from starlette.exceptions import HTTPException

from musicrec.errors import ConfigError
from musicrec.web.answers import CONTENT_POLICY, Answer, AnswerMemory, parts_of
from musicrec.web.security import _Bounded, host_name
from musicrec.web.settings import ServerSettings
from tests.web.conftest import BASE, track_id

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-some-length"
QUERY = {"tracks": [track_id(1)]}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8765", "localhost:99", "[::1]:8765", "LocalHost", "localhost."]
)
def test_names_of_this_computer(client: TestClient, host: str):
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost@evil.example", "192.168.1.4", "", "[",
     "a b", "localhost/x", "localhost:x", "localhost#", "127.0.0.1:8765:1",
     "[::1]x", "[::1]evil.example", "[::1]:8765x", "localhost:+1", "."],
)  # fmt: skip
def test_a_rebound_name_is_refused(client: TestClient, host: str):
    answer = client.get("/api/v1/library", headers={"host": host})
    assert answer.status_code == 421 and "--allow-host" in answer.json()["detail"]


def test_two_host_headers_are_refused(client: TestClient):
    assert client.get("/healthz", headers=[("host", "127.0.0.1"), ("host", "evil.example")]).status_code == 421


def test_other_names_must_be_allowed(serve, settings: ServerSettings):
    client = serve(settings, host="0.0.0.0", token=TOKEN, allowed_hosts=("dj.example",))
    answers = {
        host: client.get("/healthz", headers={"host": host}).status_code
        for host in ("dj.example", "DJ.example:443", "192.168.1.4:8765", "[fd00::1]", "localhost", "other.example")
    }
    assert list(answers.values()) == [200, 200, 200, 200, 200, 421], "an address cannot be rebound; a name can"


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 200),  # a program
        ({"origin": BASE}, 200),
        ({"origin": BASE, "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8766"}, 403),
        ({"origin": "http://localhost:8765"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": BASE, "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://127.0.0.1:8765"}, 200),  # a proxy that does not say that it speaks HTTPS
    ],
)
def test_only_the_page_and_programs_can_change_something(client: TestClient, headers: dict, status: int):
    answer = client.post("/api/v1/query", json=QUERY, headers=headers)
    assert answer.status_code == status, answer.text
    for method, path in (("DELETE", "/api/v1/playlists/x"), ("PUT", "/api/v1/playlists/x"), ("PATCH", "/")):
        assert (client.request(method, path, headers=headers).status_code == 403) == (status == 403)


def test_pages_of_others_can_neither_read_nor_embed(client: TestClient):
    for headers in ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, {"sec-fetch-site": "same-site"}):
        assert client.get("/api/v1/library", headers=headers).status_code == 403
    for origin in (
        "http://evil.example",
        "null",
        "http://127.0.0.1:8766",
    ):  # of a browser without Sec-Fetch, or WebSocket
        assert client.get("/api/v1/library", headers={"origin": origin}).status_code == 403
    assert client.get("/api/v1/library", headers={"origin": BASE}).status_code == 200
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=visit).status_code == 200, "a link from elsewhere opens the page"
    assert client.get("/api/v1/library", headers=visit).status_code == 403


def test_every_answer_tells_the_browser_what_it_may_do(client: TestClient):
    answers = [
        client.get("/"),
        client.get("/api/v1/tracks"),
        client.get("/none"),
        client.get("/", headers={"host": "x"}),
    ]
    for answer in answers:
        assert answer.headers["content-security-policy"] == CONTENT_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer" and "server" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "unsafe" not in CONTENT_POLICY and "http" not in CONTENT_POLICY
    assert client.options("/api/v1/query", headers={"origin": "http://evil.example"}).status_code == 403


def test_an_address_that_others_reach_needs_a_token():
    for settings in ({"host": "0.0.0.0"}, {"host": "::"}, {"allowed_hosts": ("dj.example",)}):
        with pytest.raises(ConfigError, match="it needs a token"):
            ServerSettings(**settings)
    with pytest.raises(ConfigError, match="too short"):
        ServerSettings(host="0.0.0.0", token="secret")
    assert ServerSettings(host="127.8.8.8").alone


def test_the_token(serve, settings: ServerSettings):
    client = serve(settings, token=TOKEN)
    for path in ("/", "/api/v1/library", "/metrics", "/style.css", "/api/v1/openapi.json", "/?token=wrong", "/?token=",
                 f"/api/v1/library?token={TOKEN}"):  # fmt: skip
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 401 and "set-cookie" not in answer.headers, path
    assert client.get("/healthz").status_code == 200
    for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer é"):
        assert client.get("/api/v1/library", headers={"authorization": wrong.encode()}).status_code == 401
    refused = client.get("/?token=wrong"), client.get("/api/v1/library", headers={"authorization": "Bearer wrong"})
    assert all(answer.json()["detail"].startswith("this is not the token of this server") for answer in refused)
    assert client.get("/").json()["detail"].startswith("this server needs its token")
    assert client.get("/api/v1/library", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200

    answer = client.get(f"/?token={TOKEN}&x=1", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/?x=1", "the token leaves the address bar"
    cookie = answer.headers["set-cookie"]
    key = cookie.partition("=")[2].partition(";")[0]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie and TOKEN not in cookie
    assert "Secure" not in cookie and len(key) > 40
    assert client.get("/api/v1/library").status_code == 200, "the client keeps the cookie"
    again = client.get(f"/?token={TOKEN}", follow_redirects=False)
    assert again.status_code == 303 and key in again.headers["set-cookie"], "the same session"
    client.cookies.clear()
    client.cookies.set("musicrec", f"{key}x")
    assert client.get("/api/v1/library").status_code == 401
    secure = client.get(f"https://127.0.0.1:8765/?token={TOKEN}", follow_redirects=False)
    assert "; Secure" in secure.headers["set-cookie"]


def test_a_page_without_https_is_another_one(serve, settings: ServerSettings):
    """Whoever can change what comes over the network can write it."""
    client = serve(settings, token=TOKEN, allowed_hosts=("dj.example",))
    headers = {"host": "dj.example", "authorization": f"Bearer {TOKEN}"}
    for address, origin, status in (
        ("https://127.0.0.1", "https://dj.example", 200),
        ("https://127.0.0.1", "http://dj.example", 403),
        ("http://127.0.0.1", "http://dj.example", 200),
    ):
        answer = client.post(f"{address}/api/v1/query", json=QUERY, headers=headers | {"origin": origin})
        assert answer.status_code == status, answer.text


def test_a_network_counts_as_one_address(serve, settings: ServerSettings):
    """Or who has one, as many people do with IPv6, could push out the sessions of all others."""
    app = serve(settings, token=TOKEN, users=True).app
    for number, pin in enumerate(("1234", "5678")):
        of_one = TestClient(app, base_url=BASE, client=(f"2001:db8::{number}", 5000))
        of_one.get(f"/?token={TOKEN}", follow_redirects=False)
        of_one.post("/api/v1/users", json={"name": f"User {number}", "pin": pin})
        of_one.delete("/api/v1/session")
        of_one.get(f"/?token={TOKEN}", follow_redirects=False)
    assert {session.address for session in app.state.web.sessions._sessions.values()} == {"2001:db8::/64"}


def test_cookies_of_others_do_no_harm(serve, settings: ServerSettings):
    """Cookies know no ports: another program on this computer may set any, also one of our name."""
    client = serve(settings, token=TOKEN)
    answer = client.get(f"/?token={TOKEN}", follow_redirects=False)
    ours = answer.headers["set-cookie"].partition(";")[0]
    client.cookies.clear()
    for around in (
        "{}",
        '{{"a": [1]}}; {}',
        "{}; musicrec=theirs",
        "musicrec=theirs; {}",
        'a="b; {}',
        "a[]=1;{}",
        "; ;{};=",
    ):
        assert client.get("/api/v1/library", headers={"cookie": around.format(ours)}).status_code == 200, around
    for wrong in ("musicrec", "musicrec=", "xmusicrec" + ours[8:], ours + "x", f"a={ours}"):
        assert client.get("/api/v1/library", headers={"cookie": wrong}).status_code == 401, wrong


def test_requests_of_unclear_length_are_refused(client: TestClient):
    """A proxy that goes by the other header would take what follows for a part of this request."""
    answer = client.post(
        "/api/v1/query", content=b"{}", headers={"transfer-encoding": "chunked", "content-length": "2"}
    )
    assert answer.status_code == 400 and answer.headers["connection"] == "close"


def test_no_file_of_the_page_is_below_the_endpoints_of_players(serve, settings: ServerSettings):
    client = serve(settings, token=TOKEN)
    for path in (
        "/rest/%2e%2e/index.html",
        "/rest/..%2fstyle.css",
        "/rest/%2e%2e/",
        "/rest/x/%2e%2e/%2e%2e/index.html",
    ):
        assert client.get(path).status_code == 401, path
    assert client.get("/rest/ping.view").status_code == client.get("/rest/ping").status_code == 200


def test_bodies_are_bounded(client: TestClient):
    for content in (b"x" * (2**20 + 1), iter([b"x" * 2**19] * 3)):  # with a length, and in parts
        answer = client.post("/api/v1/query", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413 and "1,048,576 bytes" in answer.json()["detail"]
    for length in ("-1", "1e3", "x"):
        assert client.post("/api/v1/query", headers={"content-length": length}).status_code == 413
    deep = "[" * 100_000
    assert client.post("/api/v1/query", content=deep).status_code == 422


def test_a_body_that_comes_in_drops_is_cut_off():
    async def dripping() -> dict:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read() -> int:
        body, read = _Bounded(dripping, 1000, most_s=0.3), 0
        with pytest.raises(HTTPException) as caught:
            while read < 100:
                read += len((await body.receive())["body"])
        assert caught.value.status_code == 408
        return read

    assert 1 <= asyncio.run(read()) <= 6


def test_a_body_that_has_come_leaves_time_for_the_answer():
    """Answers in parts wait for the end of the connection with the same function."""
    messages = [{"type": "http.request", "body": b"{}", "more_body": False}, {"type": "http.disconnect"}]

    async def receive() -> dict:
        await asyncio.sleep(0.1 * (2 - len(messages)))
        return messages.pop(0)

    async def read() -> list[str]:
        body = _Bounded(receive, 1000, most_s=0.05)
        return [(await body.receive())["type"] for _ in range(2)]

    assert asyncio.run(read()) == ["http.request", "http.disconnect"]


@pytest.mark.parametrize(
    "path",
    ["/api/v1/tracks/..%2f..%2fetc%2fpasswd", "/api/v1/tracks/%2e%2e", "/api/v1/tracks/a%00b", "/..%2f..%2fsetup.cfg",
     "/%2e%2e/%2e%2e/etc/passwd", "/static/../../app.py", "//etc/passwd", "/js/..%5c..%5capp.py", "/js/%00"],
)  # fmt: skip
def test_no_path_leads_to_a_file(client: TestClient, path: str):
    answer = client.get(path)
    assert answer.status_code in (404, 422) and b"root:" not in answer.content and "detail" in answer.json()


@pytest.mark.parametrize(
    ("address", "sent"), [("http://dj.example", False), ("https://dj.example", True), ("http://localhost", True)]
)
def test_plain_http_to_another_computer_has_no_header_that_browsers_complain_of(
    serve, settings: ServerSettings, address: str, sent: bool
):
    client = serve(settings, token=TOKEN, allowed_hosts=("dj.example",))
    answer = client.get(f"{address}/healthz")
    assert answer.status_code == 200 and answer.headers["x-frame-options"] == "DENY"
    assert ("cross-origin-opener-policy" in answer.headers) == sent


def test_host_names():
    found = [
        host_name(host)
        for host in ("a.b:1", "A.B", "[::1]:5", "a:٣", "a@b", "a/b", "a:b", "", ":1", "a?b", "127.0.0.1")
    ]
    assert found == ["a.b", "a.b", "::1", None, None, None, None, None, None, None, "127.0.0.1"]


def test_below_a_path_of_a_proxy(serve, settings: ServerSettings):
    """Whether the proxy takes the path away or not; the cookie is for the path."""
    client = serve(settings, root_path="/music", token=TOKEN)
    for path in ("/", "/music/"):
        client.cookies.clear()
        answer = client.get(f"{path}?token={TOKEN}", follow_redirects=False)
        assert answer.headers["location"] == "/music/" and "Path=/music;" in answer.headers["set-cookie"]
    headers = {"authorization": f"Bearer {TOKEN}"}
    for path in ("/api/v1/library", "/music/api/v1/library", "/", "/music/"):
        assert client.get(path, headers=headers).status_code == 200, path
    assert client.get("/music/healthz").status_code == 200


@pytest.mark.parametrize("name", ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"])
def test_behind_a_proxy_a_token_is_needed(serve, client: TestClient, settings: ServerSettings, name: str):
    """A proxy that does not pass the name on looks like this computer, whoever asks it."""
    answer = client.get("/api/v1/tracks", headers={name: "192.0.2.7"})
    assert answer.status_code == 403 and "--allow-host" in answer.json()["detail"]
    client = serve(settings, token=TOKEN, allowed_hosts=("dj.example",))
    headers = {"host": "dj.example", name: "192.0.2.7"}
    assert client.get("/api/v1/tracks", headers=headers).status_code == 401
    assert client.get("/api/v1/tracks", headers=headers | {"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_large_answer_is_sent_inparts_of(client: TestClient):
    """A client that does not read keeps one part of it in the memory of the server, not a copy of all."""
    content = bytes(range(256)) * 4_000
    for more in (False, True):
        parts = list(parts_of({"type": "http.response.body", "body": content, "more_body": more}))
        assert b"".join(part["body"] for part in parts) == content and max(len(part["body"]) for part in parts) == 2**18
        assert [part["more_body"] for part in parts] == [True, True, True, more]
    (start,) = parts_of({"type": "http.response.start", "status": 200})
    (empty,) = parts_of({"type": "http.response.body"})
    assert start["status"] == 200 and empty == {"type": "http.response.body"}


def test_packages_with_known_holes_are_not_installed():
    """Nor those without server-sent events, with which no server starts. Advisories say which versions are mended."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = {found.name: found for found in map(Requirement, config["options"]["install_requires"].split("\n")[1:])}
    pinned = [
        (name, version.partition(" ")[0])
        for name, _, version in (line.partition("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    ]
    for name, least in (("fastapi", "0.135"), ("h11", "0.16"), ("starlette", "1.5.1")):
        (at_least,) = [one.version for one in declared[name].specifier if one.operator == ">="]
        versions = [version for other, version in pinned if other == name]
        assert versions and min(map(Version, [at_least, *versions])) >= Version(least), name


def test_large_answers_share_the_memory():
    memory = AnswerMemory(most=400)
    assert memory.take("a", 1_000), "the only one may be larger"
    assert not memory.take("b", 1), "but none comes besides"
    memory.give_back("a", 1_000)
    assert [memory.take("a", 40) for _ in range(3)] == [True, True, False], "a quarter"
    assert [memory.take(name, 100) for name in "bcde"] == [True, True, True, False], "all together"
    memory.give_back("a", 40)
    assert memory.take("a", 60) and not memory.take("e", 1)


def test_an_answer_for_which_there_is_no_room_is_refused():
    """Clients that read slowly would otherwise fill the memory: each keeps its answer there."""
    memory, sent, read = AnswerMemory(most=2**22), [], asyncio.Event()

    async def slowly(message: dict) -> None:
        sent.append(message)
        await read.wait()

    async def app(send: Answer) -> None:
        headers = [(b"content-length", b"%d" % 2**20)]
        await send.send({"type": "http.response.start", "status": 200, "headers": headers})
        await send.send({"type": "http.response.body", "body": bytes(2**20)})

    async def ask() -> list[int]:
        answers = [Answer(slowly, memory=memory, secure=False, path="/") for _ in range(3)]
        for answer in answers:
            answer.client = "a"
        asking = [asyncio.ensure_future(app(answer)) for answer in answers[:2]]
        await asyncio.sleep(0.01)
        read.set()
        await asyncio.gather(*asking)
        await app(answers[2])
        return [message["status"] for message in sent if message["type"] == "http.response.start"]

    assert asyncio.run(ask()) == [200, 503, 200], "what was read makes room"
    bodies = [message.get("body", b"") for message in sent]
    (refusal,) = [body for body in bodies if b"try again" in body]
    assert sum(map(len, bodies)) == 2**21 + len(refusal)


def test_a_stream_begins_before_its_first_part():
    sent = []

    async def send(message: dict) -> None:
        sent.append(message["type"])

    async def stream() -> list[str]:
        answer = Answer(send, memory=AnswerMemory(), secure=False, path="/")
        await answer.send({"type": "http.response.start", "status": 200, "headers": []})
        return list(sent)

    assert asyncio.run(stream()) == ["http.response.start"]
