"""Touches of a customer as people see them: clicks, and what was told."""

from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from app.wire import ClickId, CustomerId, Instant, LinkId, Out, PartnerId, ProgramId


class TouchOut(Out):
    """What an event claimed for the customer, and whom it points to now.

    click_id, link_id, traffic_class: of a click. code: as it was used. referrer_id: the customer
    who was named. partner_id: none if it points to nobody here. self_reported: what the customer
    said itself, by a partner or a code.
    """

    kind: Literal["click", "code", "referrer", "self_reported"]
    click_id: ClickId | None
    link_id: LinkId | None
    traffic_class: str | None
    code: str | None
    referrer_id: CustomerId | None
    partner_id: PartnerId | None
    program_id: ProgramId | None
    at: Instant


async def touches_of(
    driver: "asyncpg.Connection[Any]", workspace: UUID, customer: UUID, *, most: int
) -> list[TouchOut]:
    """The latest first, each once however many events claim it."""
    rows = [
        *await driver.fetch(_CLICKS, workspace, customer, most),
        *await driver.fetch(_TOLD, workspace, customer, most),
    ]
    shown = [TouchOut(**{name: row.get(name) for name in TouchOut.model_fields}) for row in rows]
    shown.sort(key=lambda touch: (touch.at, touch.kind, touch.code or ""), reverse=True)
    return shown[:most]


_CLICKS: Final = """
SELECT DISTINCT ON (t.at, t.click_id) 'click' AS kind, t.click_id, t.link_id, t.traffic_class,
  t.at, l.partner_id, l.program_id
FROM touches t
JOIN events e ON e.workspace_id = t.workspace_id AND e.id = t.event_id
LEFT JOIN links l ON l.workspace_id = t.workspace_id AND l.id = t.link_id
WHERE t.workspace_id = $1 AND e.customer_id = $2
ORDER BY t.at DESC, t.click_id LIMIT $3
"""

# A provider's id means the code that it was at the time of the use, before the first the first.
_TOLD: Final = """
SELECT DISTINCT ON (t.at, t.kind, t.name) t.kind, t.at,
  CASE WHEN t.kind = 'code' OR t.kind = 'self_reported' AND NOT u.partner THEN t.name END AS code,
  n.customer_id AS referrer_id,
  coalesce(c.partner_id, p.partner_id, CASE WHEN u.partner THEN t.name::uuid END) AS partner_id,
  c.program_id
FROM told_touches t
JOIN events e ON e.workspace_id = t.workspace_id AND e.id = t.event_id
CROSS JOIN LATERAL (
  SELECT t.kind <> 'code' AND t.name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AS partner
) u
LEFT JOIN LATERAL (
  SELECT code_id FROM code_provider_ids
  WHERE workspace_id = $1 AND provider_id = t.name AND (until IS NULL OR until > t.at)
  ORDER BY since LIMIT 1
) i ON t.kind <> 'referrer'
LEFT JOIN codes c ON c.workspace_id = $1 AND t.kind <> 'referrer'
  AND (c.code = t.name OR c.id = i.code_id)
LEFT JOIN customer_names n ON n.workspace_id = $1 AND t.kind = 'referrer' AND n.name = t.name
LEFT JOIN partner_customers p ON p.workspace_id = $1 AND p.customer_id = n.customer_id
WHERE t.workspace_id = $1 AND e.customer_id = $2
ORDER BY t.at DESC, t.kind, t.name, p.created_at LIMIT $3
"""
