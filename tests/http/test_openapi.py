"""The document tells what the API does, and the file in the repository is the document."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api import openapi_yaml
from app.problems import MEDIA_TYPE
from tests.http.test_isolation import routes

FILE = Path(__file__).parents[2] / "openapi.yaml"
IMAGES = {"GET /v1/links/{link_id}/qr": {"image/svg+xml", "image/png"}}
KEYLESS = {"POST /v1/webhooks/{source_id}"}


def operations(app: FastAPI) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


def test_the_file_is_up_to_date() -> None:
    assert FILE.read_text() == openapi_yaml(), "run `make openapi`"


def test_every_route_is_documented(app: FastAPI) -> None:
    assert operations(app).keys() == routes(app)


def test_every_operation_has_a_summary_and_what_it_answers(app: FastAPI) -> None:
    for name, operation in operations(app).items():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        good = [one for status, one in operation["responses"].items() if status < "300"]
        assert good, name
        content = good[0]["content"]
        assert content.keys() == IMAGES.get(name, {"application/json"}), name
        assert all("schema" in one for one in content.values()), name


def test_operations_have_names_of_their_own(app: FastAPI) -> None:
    names = [operation["operationId"] for operation in operations(app).values()]
    assert len(set(names)) == len(names)


def test_shapes_have_names_without_a_place_in_the_code(app: FastAPI) -> None:
    """Two of one name would both be told with it."""
    assert not [name for name in app.openapi()["components"]["schemas"] if "__" in name]


def test_problems_are_documented_with_an_example_each(app: FastAPI) -> None:
    shared = app.openapi()["components"]["responses"]
    for name, operation in operations(app).items():
        responses = operation["responses"]
        expected = {"503"}
        if name not in KEYLESS:
            expected |= {"401", "403"}
        if "requestBody" in operation:
            expected |= {"400", "408", "413", "422"}
        if "{" in name:
            expected.add("404")
        assert expected <= responses.keys(), name
        for status, reference in responses.items():
            if status < "400":
                continue
            response = shared[reference["$ref"].rsplit("/", 1)[1]]
            assert response["content"].keys() == {MEDIA_TYPE}, (name, status)
            examples = response["content"][MEDIA_TYPE]["examples"]
            assert examples, (name, status)
            for code, example in examples.items():
                assert example["value"]["code"] == code
                assert str(example["value"]["status"]) == status


def test_bodies_refuse_unknown_fields_and_answers_leave_none_out(app: FastAPI) -> None:
    document = app.openapi()
    schemas = document["components"]["schemas"]
    for name, operation in operations(app).items():
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            assert content.keys() <= {"text/csv"}, name
            continue
        schema = content["application/json"]["schema"]
        body = schemas[schema["$ref"].rsplit("/", 1)[1]]
        assert body["additionalProperties"] is False, name
    for name, schema in schemas.items():
        if name.endswith("Out"):
            assert set(schema["required"]) == set(schema["properties"]), name


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_the_document_is_served(app: FastAPI, path: str) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        assert (await client.get(path)).status_code == 200
