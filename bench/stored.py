"""Sales decided with millions of conversions stored, in turn with a database that has none.

What is stored is one decided sale, copied in SQL with ids, keys and times of its own, into every
table that a decision reads or writes; indexes are kept and autovacuum runs, as in service.
"""

import statistics
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import make_url

from app.db.engine import Database
from app.db.migrate import upgrade
from bench.decisions import decide_in_batches
from bench.table import table
from tests.making import Shop, make_shop, percent

PARTNERS = [f"p{number}" for number in range(50)]
_CHUNK = 100_000
_ORDERED = "(lpad(to_hex(n), 12, '0') || '7000' || '8' || substr(md5('{0}' || n), 1, 15))::uuid"
_SCATTERED = "md5('{0}' || n)::uuid"
_EVENT, _CUSTOMER = _ORDERED.format("event"), _ORDERED.format("customer")
_CONVERSION, _COMMISSION = _SCATTERED.format("conversion"), _SCATTERED.format("commission")

COPIES: dict[str, dict[str, str]] = {
    "customers": {"id": _CUSTOMER, "created_at": "at"},
    "customer_names": {"name": "t.name || '-' || n", "customer_id": _CUSTOMER},
    "events": {
        "id": _EVENT,
        "external_id": "'stored-' || n",
        "customer_id": _CUSTOMER,
        "conversion_id": _CONVERSION,
        "decision_no": "n",
        "received_at": "at",
    },
    "event_bodies": {"event_id": _EVENT},
    "touches": {"event_id": _EVENT, "click_id": _SCATTERED.format("click"), "at": "at"},
    "decisions": {"decision_no": "n", "customer_id": _CUSTOMER, "decided_at": "at"},
    "conversions": {
        "id": _CONVERSION,
        "customer_id": _CUSTOMER,
        "key": "'own::invoice:stored-' || n",
        "occurred_at": "at",
        "recorded_at": "at",
        "decision_no": "n",
    },
    "commissions": {
        "id": _COMMISSION,
        "conversion_id": _CONVERSION,
        "customer_id": _CUSTOMER,
        "occurred_at": "at",
        "recorded_at": "at",
        "decision_no": "n",
    },
    "transfers": {
        "number": "n",
        "key": _SCATTERED.format("transfer"),
        "commission_id": _COMMISSION,
        "occurred_at": "at",
        "recorded_at": "at",
    },
}
"""Table → what its copies have of their own; `at` is an instant of the past, one a second."""


@dataclass(frozen=True, slots=True)
class Scale:
    """conversions: stored before. sales: decided in a round."""

    conversions: int = 5_000_000
    sales: int = 3_000
    rounds: int = 5


async def main(url: str) -> None:
    await measure(url, Scale())


async def measure(url: str, scale: Scale) -> None:
    """url: a migrated, empty database; another is made beside it to be filled."""
    full_url = await _beside(url)
    empty, full = [await make_shop(Database(at), percent(2000), PARTNERS) for at in (url, full_url)]
    for shop in (empty, full):
        await decide_in_batches(shop, "warm", PARTNERS, 200)
    await fill(full, scale.conversions)
    rates: dict[str, list[float]] = {"empty": [], "full": []}
    for number in range(scale.rounds):
        pair = [("empty", empty), ("full", full)]
        for name, shop in pair if number % 2 else reversed(pair):
            label = f"r{number}"
            rates[name].append(
                (await decide_in_batches(shop, label, PARTNERS, scale.sales)).sales_s
            )
    medians = {name: statistics.median(found) for name, found in rates.items()}
    rows = [
        (name, f"{medians[name]:,.0f}", f"{medians[name] / medians['empty']:.2f} ×",
         " ".join(f"{rate:,.0f}" for rate in found))
        for name, found in rates.items()
    ]  # fmt: skip
    print(f"{scale.conversions:,} conversions stored, {await _size(full)}.\n")
    print(table(("", "sales/s", "of empty", "rounds"), rows))
    for shop in (empty, full):
        await shop.database.close()


async def fill(shop: Shop, count: int) -> None:
    """Copies of the first sale that was decided, under the numbers after those that are taken."""
    connection = await asyncpg.connect(shop.database.url)
    try:
        first: int = await connection.fetchval(
            "SELECT greatest(decision_no, transfer_no) + 1 FROM lanes WHERE workspace_id = $1",
            shop.workspace,
        )
        statements = [await _copying(connection, name, first + count) for name in COPIES]
        for start in range(first, first + count, _CHUNK):
            last = min(start + _CHUNK, first + count) - 1
            for statement in statements:
                await connection.execute(statement, shop.workspace, start, last, timeout=600)
        await connection.execute(
            "UPDATE lanes SET decision_no = $2, transfer_no = $2 WHERE workspace_id = $1",
            shop.workspace,
            first + count - 1,
        )
        for name in COPIES:
            await connection.execute(f"VACUUM ANALYZE {name}", timeout=600)
        await connection.execute("CHECKPOINT", timeout=600)
    finally:
        await connection.close()


async def _beside(url: str) -> str:
    other = make_url(url).set(database=f"{make_url(url).database}_full")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {other.database} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {other.database}")
    finally:
        await connection.close()
    full_url = other.render_as_string(hide_password=False)
    await upgrade(full_url)
    return full_url


async def _copying(connection: "asyncpg.Connection[Any]", name: str, end: int) -> str:
    """$1: workspace, $2 and $3: the first and the last number."""
    own = COPIES[name]
    columns = [
        row["column_name"]
        for row in await connection.fetch(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = $1 AND table_schema = 'public' AND is_generated = 'NEVER'",
            name,
        )
    ]
    values = [
        f"clock_timestamp() - make_interval(secs => {end} - n)"
        if own.get(column) == "at"
        else own.get(column, f"t.{column}")
        for column in columns
    ]
    return (
        f"INSERT INTO {name} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM ({_FIRST[name]}) t, generate_series($2::bigint, $3::bigint) n"
    )


_SALE = "(SELECT decision_no FROM decisions WHERE workspace_id = $1 ORDER BY decision_no LIMIT 1)"
_BY_DECISION = f"SELECT * FROM {{0}} WHERE workspace_id = $1 AND decision_no = {_SALE}"
_OF_CUSTOMER = (
    "SELECT * FROM {0} WHERE workspace_id = $1 AND {1} IN (SELECT {2} FROM events"
    f" WHERE workspace_id = $1 AND decision_no = {_SALE})"
)
_FIRST: dict[str, str] = {
    "customers": _OF_CUSTOMER.format("customers", "id", "customer_id"),
    "customer_names": _OF_CUSTOMER.format("customer_names", "customer_id", "customer_id"),
    "events": _BY_DECISION.format("events"),
    "event_bodies": _OF_CUSTOMER.format("event_bodies", "event_id", "id"),
    "touches": _OF_CUSTOMER.format("touches", "event_id", "id"),
    "decisions": _BY_DECISION.format("decisions"),
    "conversions": _BY_DECISION.format("conversions"),
    "commissions": _BY_DECISION.format("commissions"),
    "transfers": "SELECT * FROM transfers WHERE workspace_id = $1 ORDER BY number LIMIT 1",
}
"""The rows of the first sale that was decided."""


async def _size(shop: Shop) -> str:
    (row,) = await shop.rows(
        "SELECT pg_size_pretty(pg_database_size(current_database())) AS size, :workspace AS w"
    )
    return f"{row.size} on disk"
