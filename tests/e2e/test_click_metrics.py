"""What an operator's alarms stand on, as `/metrics` shows it of all processes."""

from pathlib import Path
from uuid import UUID

import asyncpg
import httpx

from tests.e2e.client import GIVEN
from tests.service import free_port, serve


async def test_clicks_that_no_partition_takes_and_journals_that_fill_are_seen(
    tmp_path: Path, fresh_database_url: str, http: httpx.Client
) -> None:
    metrics_port = free_port()
    given = GIVEN | {"DATABASE_URL": fresh_database_url, "FINDERFEE_JOURNAL_MAX_BYTES": "5000000"}
    connection = await asyncpg.connect(fresh_database_url)
    in_year_2100 = UUID(int=4_102_444_800_000 << 80)
    await connection.execute(
        "INSERT INTO clicks (id, link_id, traffic_class) VALUES ($1, $1, 1)", in_year_2100
    )
    await connection.close()

    def shown(line: str) -> bool:
        found = http.get(f"http://127.0.0.1:{metrics_port}/metrics").text.splitlines()
        return line in found

    given["FINDERFEE_METRICS_PORT"] = str(metrics_port)
    with serve(tmp_path / "data", environment=given) as service:
        service.ready("worker")
        # Partitions are the worker's first work, but not its first sign of life.
        service.until(lambda: shown("finderfee_clicks_in_default_partition 1.0"))
        assert shown("finderfee_journal_max_bytes 5e+06")
        assert shown("finderfee_journal_oldest_seconds 0.0")
