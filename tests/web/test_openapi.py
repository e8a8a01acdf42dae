"""The description of the API: everything is described and bounded, and nothing that it allows is a mistake of ours."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from musicrec.web.app import create_app
from musicrec.web.settings import ServerSettings
from tests.web.conftest import BASE

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("MUSICREC_API_EXAMPLES", "4"))  # of each endpoint, right and wrong


@pytest.fixture(scope="module")
def description() -> dict:
    return create_app(ServerSettings(library="none.sqlite")).openapi()


def operations(description: dict) -> Iterator[tuple[str, dict]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_endpoint_says_what_it_does(description: dict):
    names = [name for name, _ in operations(description)]
    assert len(names) > 35 and "POST /api/v1/query" in names and "GET /healthz" in names
    for name, operation in operations(description):
        assert operation["summary"] != operation["summary"].title(), f"{name}: made of the name of a function"
        assert operation.get("description") and operation["tags"], name


def test_the_documents_name_every_endpoint(description: dict):
    table = re.findall(r"`((?:[A-Z]+ )+)(/[^`]*)`", (ROOT / "docs" / "api.md").read_text().partition("At the root")[0])
    told = {f"{method} /api/v1{path}" for methods, path in table for method in methods.split()}
    assert told == {name for name, _ in operations(description) if "/api/v1/" in name}


def bounds(schema: dict, description: dict, place: str) -> Iterator[str]:
    """Yield the places in a schema that have no limit."""
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in schema.get("anyOf", ()):
        yield from bounds(part, description, place)
    if "enum" in schema or "const" in schema:
        return
    kind = schema.get("type")
    if kind == "string" and "maxLength" not in schema and "pattern" not in schema:
        yield f"{place}: a text of any length"
    limits = ({"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"})
    if kind in ("integer", "number") and not all(either & schema.keys() for either in limits):
        yield f"{place}: any number"
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{place}: a list of any length"
        for part in [*schema.get("prefixItems", ()), *([schema["items"]] if "items" in schema else ())]:
            yield from bounds(part, description, f"{place}[]")
    if kind == "object":
        if "properties" not in schema and "maxProperties" not in schema:
            yield f"{place}: any object"
        for name, part in schema.get("properties", {}).items():
            yield from bounds(part, description, f"{place}.{name}")
        if isinstance(more := schema.get("additionalProperties"), dict):
            yield from bounds(more, description, f"{place}.*")


def test_everything_that_is_sent_is_bounded(description: dict):
    without = []
    for name, operation in operations(description):
        for parameter in operation.get("parameters", ()):
            without += bounds(parameter["schema"], description, f"{name} {parameter['name']}")
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            without += bounds(content["schema"], description, f"{name} body")
    assert not without, "\n".join(without)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:starlette.testclient", "ignore::DeprecationWarning:httpx2")
def test_no_request_ends_in_a_500(serve: Callable[..., TestClient], library: Path, description: dict):
    """Neither one that the description allows nor one that it does not."""
    client = serve(ServerSettings(library=library, index=False, processes=0))  # not that a random folder is indexed
    schema, seen = schemathesis.openapi.from_dict(description), 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/events"):  # a stream, which ends when its job does
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            ask_many(client, operation, mode)
        seen += 1
    assert seen > 35


def ask_many(client: TestClient, operation: schemathesis.APIOperation, mode: GenerationMode) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        sent = case.as_transport_kwargs(base_url=BASE)
        answer = client.request(**sent)
        assert answer.status_code < 500, f"{sent}: {answer.text}"

    with suppress(Unsatisfiable):  # a request without parameters cannot be wrong
        ask()
