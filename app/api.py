"""The FastAPI object: routers, problems, limits, and the OpenAPI document.

`python -m app.api` prints `openapi.yaml`.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, Final

import asyncpg
import sqlalchemy.exc
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import __version__, errors, openapi, problems
from app.conversions.backtest.http import router as backtests_router
from app.conversions.claims.http import router as claims_router
from app.conversions.customers import router as customers_router
from app.conversions.http import Receiver
from app.conversions.http import router as webhooks_router
from app.conversions.intake.events import router as events_router
from app.conversions.intake.replays import router as replays_router
from app.conversions.people.privacy import router as customer_privacy_router
from app.conversions.quick import Quick, Quickest
from app.conversions.read import router as conversions_router
from app.conversions.reassign import router as reassign_router
from app.conversions.referring import router as referring_router
from app.conversions.resolve import router as verdicts_router
from app.conversions.settlements import router as settlements_router
from app.conversions.sources.http import router as sources_router
from app.conversions.sources.reconciliations import router as reconciliations_router
from app.conversions.totals import router as totals_router
from app.conversions.track import Tracker
from app.conversions.track import router as track_router
from app.conversions.trials.lint import router as lint_router
from app.conversions.trials.ltv_cac import router as ltv_cac_router
from app.conversions.trials.preview import router as preview_router
from app.db.engine import Database
from app.imports.http import router as imports_router
from app.ledger.balances import router as balances_router
from app.ledger.http import router as money_router
from app.limits import Limits
from app.outgoing import Outgoing
from app.program.codes.http import router as codes_router
from app.program.deals.http import router as deals_router
from app.program.domains.http import router as domains_router
from app.program.keys.http import router as keys_router
from app.program.links.http import router as links_router
from app.program.partners.http import router as partners_router
from app.program.plans.http import router as plans_router
from app.program.privacy.http import router as privacy_router
from app.program.programs.http import router as programs_router
from app.program.qualifications.http import router as qualifications_router
from app.program.terms.http import pages as terms_pages
from app.program.terms.http import router as terms_router
from app.program.workspaces.http import router as workspaces_router
from app.publishable import CrossOrigin, new_buckets
from app.queries import refuse_unknown
from app.redirect.record import Recorder
from app.redirect.track import router as clicks_router
from app.reports.http import router as traffic_router
from app.secret_keys import SecretKeys
from app.settings import Settings
from app.templates.http import router as templates_router

ROUTERS: Final[tuple[APIRouter, ...]] = (
    workspaces_router,
    keys_router,
    programs_router,
    templates_router,
    terms_router,
    plans_router,
    lint_router,
    preview_router,
    ltv_cac_router,
    backtests_router,
    partners_router,
    qualifications_router,
    domains_router,
    links_router,
    codes_router,
    deals_router,
    imports_router,
    clicks_router,
    traffic_router,
    track_router,
    sources_router,
    reconciliations_router,
    webhooks_router,
    replays_router,
    events_router,
    customers_router,
    reassign_router,
    claims_router,
    referring_router,
    conversions_router,
    verdicts_router,
    money_router,
    balances_router,
    totals_router,
    settlements_router,
    customer_privacy_router,
    privacy_router,
)
"""All that answers under /v1, in the order in which the documentation shows it."""

PREFIX: Final = "/v1"
_RETRY_AFTER_S: Final = 2
_SECONDS: Final = Histogram(
    "finderfee_api_seconds", "Requests to the API.", ["method", "route", "status"]
)
_log: Final = structlog.get_logger()


def build(
    database: Database,
    settings: Settings,
    keys: SecretKeys,
    ready: Callable[[], bool],
    recorder: Recorder | None = None,
) -> FastAPI:
    """The API on these pools. ready: whether the schema is in place; until then /v1 is 503.

    recorder: the journal's, for told clicks; only what asks for none can do without.
    """
    app = FastAPI(
        title="Finderfee",
        version=__version__,
        summary="Who brought this customer, and what do we owe them?",
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers=_HANDLERS,
    )
    app.state.database = database
    app.state.settings = settings
    app.state.secret_keys = keys
    app.state.outgoing = Outgoing(
        nameserver=settings.dns_server, networks=settings.outgoing_networks
    )
    app.state.tracker = Tracker(database, keys)
    app.state.recorder = recorder
    app.state.buckets = new_buckets()
    app.state.receiver = Receiver(database, keys)
    app.state.taker = Quickest(app.state.receiver, ready=ready, seconds=_SECONDS)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX, dependencies=[Depends(refuse_unknown)])
    app.include_router(terms_pages)
    app.add_middleware(Quick, receiver=app.state.receiver)
    app.add_middleware(Limits)
    app.add_middleware(_Gate, ready=ready)
    app.add_middleware(CrossOrigin)
    _use_own_document(app)
    return app


def openapi_yaml() -> str:
    """The text of `openapi.yaml`; needs no database."""
    nowhere = Database("postgresql://localhost/none")
    app = build(nowhere, Settings(), SecretKeys(["-" * 32]), lambda: False)
    return openapi.as_yaml(app.openapi())


class _Gate:
    """Keeps /v1 shut, with a 503, while the database is being migrated; times what passes."""

    def __init__(self, app: ASGIApp, *, ready: Callable[[], bool]) -> None:
        self._app = app
        self._ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{PREFIX}/"):
            await self._app(scope, receive, send)
            return
        if not self._ready():
            problem = errors.Unavailable("Starting.", retry_after_s=_RETRY_AFTER_S)
            await problems.answer(problem)(scope, receive, send)
            return
        await self._timed(scope, receive, send)

    async def _timed(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            labels = (scope["method"], _route(scope), str(status))
            _SECONDS.labels(*labels).observe(time.perf_counter() - began)


def _use_own_document(app: FastAPI) -> None:
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            made.update(openapi.document(app))
        return made

    app.openapi = document  # type: ignore[method-assign]


async def _answer_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.Problem)
    return problems.answer(error)


async def _answer_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problems.answer(problems.of_validation(error))


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == errors.MethodNotAllowed.status:
        headers["Allow"] = _allowed(request)
    return problems.answer(problems.of_http(error), headers)


def _allowed(request: Request) -> str:
    """The methods of all routes at this address; Starlette names those of the first one only."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.methods and route.path_regex.match(request.scope["path"]):
            methods |= route.methods
    return ", ".join(sorted(methods))


async def _answer_database(request: Request, error: Exception) -> Response:
    problem = problems.of_database(error)
    if problem is None:
        raise error
    if problem.status == errors.Unavailable.status:
        _log.warning("api.database_unavailable", route=_route(request.scope), error=repr(error))
    return problems.answer(problem)


async def _answer_bug(request: Request, error: Exception) -> Response:
    # Starlette raises it again once this is sent, so the server logs where it happened.
    _log.error("api.bug", route=_route(request.scope), error=type(error).__name__)
    return problems.answer(errors.Problem())


def _route(scope: Scope) -> str:
    """The route's template, so that logs and metrics name no ids."""
    path = getattr(scope.get("route"), "path", None)
    return "none" if path is None else PREFIX + path


_HANDLERS: Final[dict[Any, Any]] = {
    errors.Problem: _answer_problem,
    RequestValidationError: _answer_validation,
    HTTPException: _answer_http,
    sqlalchemy.exc.SQLAlchemyError: _answer_database,
    asyncpg.PostgresError: _answer_database,
    asyncpg.InterfaceError: _answer_database,
    OSError: _answer_database,
    Exception: _answer_bug,
}

if __name__ == "__main__":
    sys.stdout.write(openapi_yaml())
