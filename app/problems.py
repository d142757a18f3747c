"""Whatever goes wrong in a request, as an RFC 9457 answer: one translation for each source."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import orjson
import sqlalchemy.exc
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app import errors
from app.core.money import MAX_AMOUNT
from app.errors import FieldError, Problem

MEDIA_TYPE: Final = "application/problem+json"
MAX_ERRORS: Final = Problem.max_errors
_MAX_PLACE: Final = 200

_REMEDIES: Final[Mapping[str, str]] = {
    "missing": "Add it.",
    "extra_forbidden": "Leave it out; no field has this name.",
    "id_malformed": "Send an id as the API gave it, with its prefix.",
    "instant_malformed": "Send RFC 3339 with an offset, like 2026-01-31T12:00:00Z.",
    "day_malformed": "Send a day like 2026-01-31.",
    "currency_unknown": "Send an ISO 4217 code in lower case, like `usd`.",
    "country_unknown": "Send an ISO 3166-1 code of two upper-case letters, like `DE`.",
    "email_malformed": "Send one address, like ana@example.com.",
    "code_reserved": "Choose another code; add a letter or a digit to it.",
    "placeholder_unknown": "Use {partner}, {link}, {link_code}, {asset} or {sub1} to {sub5}.",
    "int_type": "Send a JSON integer: no quotes, no fraction, no exponent.",
    "int_parsing": "Send a whole number.",
    "less_than_equal": "Send a smaller number.",
    "greater_than_equal": "Send a larger number.",
    "string_type": "Send a JSON string.",
    "string_too_short": "Send a longer text.",
    "string_too_long": "Send a shorter text.",
    "string_pattern_mismatch": "Send only what the pattern allows.",
    "bool_type": "Send `true` or `false`.",
    "list_type": "Send a JSON list.",
    "dict_type": "Send a JSON object.",
    "model_type": "Send a JSON object.",
    "model_attributes_type": "Send a JSON object.",
    "literal_error": "Send one of the values that are named.",
    "enum": "Send one of the values that are named.",
    "too_long": "Send fewer.",
    "too_short": "Send more.",
}
_REMEDY: Final = "See /docs for what is taken here."

_AMOUNT_RANGE: Final = f"Amounts go from 0 to {MAX_AMOUNT} minor units."

CONSTRAINTS: Final[Mapping[str, tuple[type[Problem], str]]] = {
    "uq_links_host_code": (errors.CodeTaken, "Another link has this code; choose another one."),
    "uq_domains_host_verified": (
        errors.Conflict,
        "Another program has verified this host; archive its domain first.",
    ),
    "uq_domains_program_id_host": (errors.Conflict, "The program has a domain of this host."),
    "uq_partners_workspace_id_external_id": (
        errors.Conflict,
        "Another partner of this workspace has this external_id.",
    ),
    "pk_deal_keys": (errors.DealConflict, "A prospect like this one was registered just now."),
}
"""Name of a database constraint → the problem of whoever ran into it. Others are bugs."""

# Postgres is starting, stopping, full or gone; a statement ran into its time-out.
_UNREACHABLE_STATES: Final = frozenset({"57P01", "57P02", "57P03", "53300", "57014", "25006"})
_LOCK_STATES: Final = frozenset({"55P03", "40P01", "40001"})
_RETRY_AFTER_S: Final = 2


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as it goes out."""
    sent = dict(headers or {})
    if problem.retry_after_s is not None:
        sent["Retry-After"] = str(problem.retry_after_s)
    if problem.status == errors.Unauthorized.status:
        sent["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body_of(problem)), problem.status, sent, media_type=MEDIA_TYPE)


def body_of(problem: Problem) -> dict[str, Any]:
    """RFC 9457's members, our code, and what is wrong in which place."""
    body: dict[str, Any] = {
        "type": f"urn:finderfee:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = [
            {"place": error.place, "problem": error.problem, "remedy": error.remedy}
            for error in problem.errors[: problem.max_errors]
        ]
    return body


def of_validation(error: RequestValidationError) -> Problem:
    """What pydantic found, place by place. An id in the path that is none names no object."""
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return errors.MalformedJson("The body is not valid JSON.")
    if all(one["loc"][0] == "path" for one in found):
        return errors.NotFound()
    fields = [_field_error(one) for one in found[:MAX_ERRORS]]
    return errors.InvalidRequest(f"{fields[0].place}: {fields[0].problem}", errors=fields)


def of_http(error: HTTPException) -> Problem:
    """What Starlette and FastAPI raise by themselves."""
    match error.status_code:
        case 404:
            return errors.NotFound("There is nothing at this address.")
        case 405:
            return errors.MethodNotAllowed()
        case 413:
            return errors.BodyTooLarge()
        case 400:
            return errors.MalformedJson()
        case _:
            raise error


def of_database(error: BaseException) -> Problem | None:
    """The caller's problem or a passing one that a database error stands for; None: a bug."""
    for cause in _causes(error):
        constraint = str(getattr(cause, "constraint_name", ""))
        if constraint in CONSTRAINTS:
            problem, detail = CONSTRAINTS[constraint]
            return problem(detail)
        if getattr(cause, "sqlstate", None) in _LOCK_STATES:
            return errors.LaneBusy(retry_after_s=_RETRY_AFTER_S)
        if _is_unreachable(cause):
            return errors.Unavailable(
                "The database cannot be reached right now.", retry_after_s=_RETRY_AFTER_S
            )
    return None


def _is_unreachable(error: BaseException) -> bool:
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated:
        return True
    state = getattr(error, "sqlstate", None) or ""
    if state in _UNREACHABLE_STATES or state.startswith("08"):
        return True
    if isinstance(error, asyncpg.InterfaceError):
        # The same class covers our own mistakes, such as a parameter of the wrong type.
        return "closed" in str(error) and not isinstance(error, ValueError)
    return isinstance(error, OSError | sqlalchemy.exc.TimeoutError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it wraps, and what that was raised from, or while handling what.

    A rollback that fails since the connection broke tells of itself, not of that.
    """
    one: BaseException | None = error
    while one is not None:
        yield one
        one = getattr(one, "orig", None) or one.__cause__ or one.__context__


def _field_error(error: Mapping[str, Any]) -> FieldError:
    kind, place = str(error["type"]), _place(error["loc"])
    said = str(error["msg"]).removeprefix("Value error, ")
    if kind in {"less_than_equal", "greater_than_equal"} and place.endswith("amount"):
        return FieldError(place, said, _AMOUNT_RANGE)
    return FieldError(place, said, _REMEDIES.get(kind, _REMEDY))


def _place(loc: Sequence[str | int]) -> str:
    return "/".join(str(part) for part in loc)[:_MAX_PLACE]
