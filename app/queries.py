"""Query parameters are closed like bodies: a misspelled filter must not list everything."""

from collections.abc import Iterator
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute

from app.errors import FieldError, InvalidRequest


async def refuse_unknown(request: Request) -> None:
    """A dependency of all routes: InvalidRequest for each parameter that the route has not."""
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = frozenset(_names(route.dependant))
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
    if unknown:
        remedy = "Use one of " + ", ".join(sorted(known)) + "." if known else "Leave it out."
        raise InvalidRequest(
            errors=[
                FieldError(f"query/{name}"[:100], "No parameter has this name", remedy)
                for name in unknown
            ]
        )


def _names(dependant: Any) -> Iterator[str]:
    """FastAPI keeps a tree: a route's own parameters and those of its dependencies."""
    for parameter in dependant.query_params:
        yield parameter.alias
    for child in dependant.dependencies:
        yield from _names(child)
