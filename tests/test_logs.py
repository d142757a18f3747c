"""What gets into logs: no secret and no row, also where an error tells of them."""

import subprocess
import sys

SCRIPT = """
import logging
import asyncpg, sqlalchemy.exc, structlog
from app import logs

logs.configure("info", "test")
log = structlog.get_logger()
log.info("x", api_key="key-1", place="postgres://me:pass-1@host/db")
refused = asyncpg.CheckViolationError('new row violates check constraint "age"')
refused.detail = "Failing row contains (jo@example.com, 0)."
wrapped = sqlalchemy.exc.IntegrityError("INSERT INTO t VALUES ($1)", {"p": 1}, refused)
log.warning("round.failed", error=str(refused))
log.warning("round.failed", error=repr(wrapped))
try:
    raise wrapped from refused
except Exception:
    log.exception("ours")
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
"""


def test_neither_secrets_nor_rows_get_into_logs() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True
    )
    said = ran.stderr
    assert said.count("violates check constraint") >= 6, said
    assert said.count("DETAIL: ***") >= 6
    for secret in ("jo@example.com", "key-1", "pass-1"):
        assert secret not in said
    # What helps to find the bug is there.
    assert "INSERT INTO t" in said
    assert "Traceback" in said
