"""Touches as rows, for looking up who brought whom; decisions hold their own."""

from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg

from app.conversions.decided import Batch
from app.core.events import ClickTouch, CodeTouch, ReferrerTouch, SelfReportedTouch, Touch
from app.db import bulk
from app.db import tables as t


async def write_touches(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """Clicks, and what was told: those of all news."""
    clicks: list[Mapping[str, Any]] = []
    told: list[Mapping[str, Any]] = []
    for event, touch in _touches(batch):
        row = {"workspace_id": batch.workspace, "event_id": event}
        match touch:
            case ClickTouch():
                clicks.append(
                    {
                        **row,
                        "click_id": touch.click_id,
                        "link_id": touch.link_id,
                        "traffic_class": touch.traffic_class,
                        "at": touch.at,
                    }
                )
            case CodeTouch(code, at):
                told.append({**row, "kind": "code", "name": code, "at": at})
            case ReferrerTouch(partner_id, person, at):
                name = str(partner_id) if partner_id else person
                told.append({**row, "kind": "referrer", "name": name, "at": at})
            case SelfReportedTouch(partner_id, code, at):
                name = str(partner_id) if partner_id else code
                told.append({**row, "kind": "self_reported", "name": name, "at": at})
            case _:
                continue
    await bulk.upsert(driver, t.TouchRow, clicks, conflict=" ON CONFLICT DO NOTHING")
    await bulk.upsert(driver, t.ToldTouch, told, conflict=" ON CONFLICT DO NOTHING")


def _touches(batch: Batch) -> Iterator[tuple[object, Touch]]:
    for decided in batch.decided:
        for event in decided.person.news:
            for touch in event.touches:
                yield event.id, touch
