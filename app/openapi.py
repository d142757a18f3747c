"""The OpenAPI document: FastAPI's own, with our problems in the place of its errors."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from app import errors, plan_schema
from app.errors import FieldError, Problem
from app.problems import MEDIA_TYPE, body_of
from app.writing import HEADER, MAX_KEY_LENGTH, METHODS, REPLAYED, Writes

DESCRIPTION: Final = """
Send `Authorization: Bearer <key>` with every request. Amounts are integers in minor units, instants
RFC 3339 with an offset, ids carry their kind as a prefix. Unknown fields are refused; of a key that
stands twice in a JSON object the last one counts. Lists come newest first: `limit`, and
`starting_after` with the last id of the page before. Whatever goes wrong is answered as
`application/problem+json` (RFC 9457); `code` is stable, `errors` tells place and remedy.
"""

_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457). `code` is stable.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:finderfee:problem:not_found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "examples": ["not_found"]},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["place", "problem", "remedy"],
                "properties": {
                    "place": {"type": "string", "examples": ["body/amount"]},
                    "problem": {"type": "string"},
                    "remedy": {"type": "string"},
                },
            },
        },
    },
}
_KEY_PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A text of your own for this one write, such as a UUID. Sent again with the same"
    f" body, the write is not done again: its answer is, with `{REPLAYED}: true`. Kept for 48 h.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_KEY_LENGTH,
        "pattern": "^[!-~]+$",
    },
    "example": "5f0c7a54-6c0e-4f0b-9d3e-5d6f0b7a1c2d",
}
_SAMPLE_ERROR: Final = FieldError(
    "body/amount", "Input should be a valid integer", "Send a JSON integer: no quotes."
)
_WITH_KEY: Final = (errors.Unauthorized, errors.MissingScope)
_WITH_IDEMPOTENCY_KEY: Final = (
    errors.KeyInUse,
    errors.AnswerErased,
    errors.KeyReused,
    errors.InvalidRequest,
)
_WITH_BODY: Final = (
    errors.MalformedJson,
    errors.RequestTimeout,
    errors.BodyTooLarge,
    errors.InvalidRequest,
)


def documented(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """`responses=documented(CodeTaken)`: a route's own problems, by status, each an example.

    Those that follow from a route's shape are added to all: a key needed (401, 403), a body (400,
    408, 413, 422), a query (422), a write (409, 422), an object in the path (404), Postgres (503).
    """
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        _add(responses, kind)
    return responses


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document, made once."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=DESCRIPTION.strip(),
        routes=app.routes,
    )
    components = made.setdefault("components", {})
    components["parameters"] = {"IdempotencyKey": _KEY_PARAMETER}
    writes = frozenset(_writes(app))
    shared = components.setdefault("responses", {})
    for path, operations in made.get("paths", {}).items():
        for method, operation in operations.items():
            _add_common(operation)
            if (path, method.upper()) in writes:
                _add_key(operation)
            operation["responses"] = {
                status: _share(response, shared) if MEDIA_TYPE in response["content"] else response
                for status, response in sorted(operation["responses"].items())
            }
    components["responses"] = dict(sorted(shared.items()))
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = _SCHEMA
    schemas |= {"Plan": plan_schema.SCHEMA, "OwnTerms": plan_schema.OWN_TERMS}
    plan, own = ({"$ref": f"#/components/schemas/{name}"} for name in ("Plan", "OwnTerms"))
    for name, schema in schemas.items():
        # A plan is read by the core, which names every mistake; here it is only described.
        if "plan" in schema.get("properties", {}):
            may_be_own = name in {"PlanDraft", "PlanOut"}
            schema["properties"]["plan"] = {"anyOf": [plan, own]} if may_be_own else plan
    return made


def as_yaml(made: dict[str, Any]) -> str:
    """The document's text; texts of several lines stand as blocks, nothing by reference."""
    import yaml  # noqa: PLC0415 (a development dependency, which the running service lacks)

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: object) -> bool:
            return True

        def represent_str(self, text: str) -> yaml.ScalarNode:
            style = "|" if "\n" in text else None
            return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, Dumper.represent_str)
    text: str = yaml.dump(made, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _add_common(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if MEDIA_TYPE not in responses.get("422", {}).get("content", {}):
        responses.pop("422", None)
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    common: list[type[Problem]] = [errors.Unavailable]
    if "security" in operation:
        common += _WITH_KEY
    if "requestBody" in operation:
        common += _WITH_BODY
    if "query" in places:
        common.append(errors.InvalidRequest)
    if "path" in places:
        common.append(errors.NotFound)
    for kind in common:
        _add(responses, kind)


def _writes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Path and method, wherever `app.writing` looks at the header."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, Writes) and route.path:
            yield from ((route.path, method) for method in METHODS & (route.methods or set()))


def _add_key(operation: dict[str, Any]) -> None:
    parameter = {"$ref": "#/components/parameters/IdempotencyKey"}
    operation.setdefault("parameters", []).append(parameter)
    for kind in _WITH_IDEMPOTENCY_KEY:
        _add(operation["responses"], kind)


def _share(response: dict[str, Any], shared: dict[str, Any]) -> dict[str, str]:
    """Many routes have the same problems; each set of them stands in the document once."""
    name = ".".join(sorted(response["content"][MEDIA_TYPE]["examples"]))
    shared[name] = response
    return {"$ref": f"#/components/responses/{name}"}


def _add(responses: dict[Any, dict[str, Any]], kind: type[Problem]) -> None:
    status = str(kind.status)
    response = responses.setdefault(
        status,
        {
            "description": kind.title,
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
            },
        },
    )
    examples = response["content"][MEDIA_TYPE]["examples"]
    if kind.code not in examples:
        found = [_SAMPLE_ERROR] if kind.status == errors.InvalidRequest.status else []
        examples[kind.code] = {"summary": kind.title, "value": body_of(kind(errors=found))}
