"""What tests of codes and referrers say and ask."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.http.selling import Selling


async def tell(selling: Selling, what: str, **body: Any) -> Any:
    return (await selling.api.post(f"/track/{what}", body, status=200))["outcome"]


async def code_of(selling: Selling, partner: Any, text: str, **more: Any) -> Any:
    own = {"program_id": selling.program["id"], "partner_id": partner["id"], "code": text}
    return await selling.api.post("/codes", {**own, **more})


async def pending(selling: Selling, partner: Any) -> int:
    balance = await selling.api.get(f"/partners/{partner['id']}/balance")
    return sum(row["pending"] for row in balance["data"])


def codes(outcome: Any) -> list[str]:
    return [reason["code"] for reason in outcome["reasons"]]


def ago(**time_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**time_ago)).isoformat()
