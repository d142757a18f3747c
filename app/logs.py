"""Structured logs on stderr: JSON lines, or a readable console when a person watches.

Secrets don't get here by design; as the last net, values of telling names are masked, and
passwords inside database URLs, and the rows that Postgres tells in its errors.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_TELLING: Final = re.compile(r"secret|password|authorization|api_key|token|email|body", re.I)
_URL_PASSWORD: Final = re.compile(r"(://[^:/@\s]*):[^@\s]+@")
_ROW: Final = re.compile(
    r"DETAIL:.*?(?=\n(?:HINT|CONTEXT|\[SQL|\(Background|The above|During handling)|\Z)", re.DOTALL
)
"""What a constraint's error says of the row that broke it: names and addresses among it."""
_QUIET: Final = ("alembic", "asyncio", "pgqueuer", "sqlalchemy", "uvicorn.error")
"""Libraries whose own news only matters when something is wrong."""


def configure(level: str, process: str) -> None:
    """Set up structlog and the standard library's logging alike. process: web-1, worker, …"""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process=process)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    watched = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if watched
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _mask(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if _TELLING.search(name):
            event[name] = "***"
        elif isinstance(value, str) and ("://" in value or "DETAIL:" in value):
            event[name] = _ROW.sub("DETAIL: ***", _URL_PASSWORD.sub(r"\1:***@", value))
    return event
