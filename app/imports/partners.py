"""Partners and links of a file, made by the same functions as one at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from app.add_links import add_each
from app.add_partners import EnrollmentCreate, PartnerCreate, create, enroll
from app.db.engine import lane_key
from app.db.tx import Tx
from app.errors import Conflict, FieldError, Problem
from app.imports import partner_names, values
from app.imports.header import Columns, Row
from app.imports.kinds import Ground, Kind, Outcome
from app.program.links.http import LinkCreate
from app.tracking_links import NewLink

_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock($1)"
_KNOWN: Final = """
SELECT p.id, p.external_id, lower(m.email) AS email, p.archived_at IS NOT NULL AS archived,
  e.partner_id IS NOT NULL AS enrolled
FROM partners p
JOIN partner_members m ON m.workspace_id = p.workspace_id AND m.partner_id = p.id
LEFT JOIN enrollments e
  ON e.workspace_id = p.workspace_id AND e.program_id = $2 AND e.partner_id = p.id
WHERE p.workspace_id = $1 AND (p.external_id = ANY($3)
  OR lower(m.email) = ANY($4) AND e.partner_id IS NOT NULL AND p.archived_at IS NULL)
ORDER BY p.created_at, p.id
"""
_OWNERS: Final = """
SELECT l.code, l.partner_id FROM links l JOIN programs p ON p.id = l.program_id
WHERE l.workspace_id = $1 AND l.program_id = $2 AND l.host = '' AND l.code = ANY($3)
  AND l.archived_at IS NULL AND p.archived_at IS NULL
"""


@dataclass(slots=True)
class _Known:
    """A partner that is there already, or was made by an earlier row."""

    id: UUID
    external_id: str | None
    archived: bool = False
    enrolled: bool = True


async def bring_partners(tx: Tx, ground: Ground, rows: Sequence[Row]) -> list[Outcome]:
    """One by one, so that a row knows what those before it made, and those of another import."""
    # No constraint knows that two partners of one address are one.
    await (await tx.driver()).execute(_ONE_AT_A_TIME, lane_key(ground.program))
    by_external_id, by_email = await _known(tx, ground, rows)
    outcomes: list[Outcome] = []
    for row in rows:
        try:
            new = _partner(ground, row.cells)
            known = by_external_id.get(new.external_id or "")
            namesake = by_email.get(new.email.lower())
            if known is None and namesake is not None:
                _refuse_other_id(namesake, new)
                known = namesake
            outcomes.append(Outcome(created=await _ensure(tx, ground, known, new)))
        except Problem as problem:
            outcomes.append(Outcome(problem))
            continue
        if known is None:
            made = _Known(_MADE, new.external_id)
            by_email[new.email.lower()] = made
            if new.external_id:
                by_external_id[new.external_id] = made
        else:
            known.enrolled = True
    return outcomes


_MADE: Final = UUID(int=0)
"""Stands for the id of a partner of this chunk, which nobody asks for again."""


async def _ensure(tx: Tx, ground: Ground, known: _Known | None, new: PartnerCreate) -> bool:
    """Whether anything had to be made: the partner, or its place in the program."""
    if known is None:
        await create(tx, ground.workspace, new)
        return True
    if known.archived:
        raise Conflict(errors=[FieldError("external_id", "This partner is archived", _OTHER_ID)])
    if not known.enrolled:
        place = EnrollmentCreate(program_id=ground.program)
        await enroll(tx, ground.workspace, known.id, place)
        return True
    return False


_OTHER_ID: Final = "Leave the row out, or send another external_id."


def _refuse_other_id(known: _Known, new: PartnerCreate) -> None:
    """One address, two ids: later rows would look for an id that nobody has."""
    if new.external_id is not None and new.external_id != known.external_id:
        problem = "A partner of the program with another external_id has this address"
        raise Conflict(errors=[FieldError("email", problem, "Give both one external_id.")])


async def _known(
    tx: Tx, ground: Ground, rows: Sequence[Row]
) -> tuple[dict[str, _Known], dict[str, _Known]]:
    driver = await tx.driver()
    found = await driver.fetch(
        _KNOWN,
        ground.workspace,
        ground.program,
        [row.cells["external_id"] for row in rows if "external_id" in row.cells],
        [row.cells["email"].lower() for row in rows if "email" in row.cells],
    )
    by_external_id: dict[str, _Known] = {}
    by_email: dict[str, _Known] = {}
    for one in found:
        known = _Known(
            UUID(bytes=one["id"].bytes), one["external_id"], one["archived"], one["enrolled"]
        )
        if known.external_id is not None:
            known = by_external_id.setdefault(known.external_id, known)
        if known.enrolled and not known.archived:
            by_email.setdefault(one["email"], known)
    return by_external_id, by_email


def _partner(ground: Ground, cells: Mapping[str, str]) -> PartnerCreate:
    names = (cells.get("first_name"), cells.get("last_name"))
    given: dict[str, Any] = {
        "program_id": ground.program,
        "name": cells.get("name") or " ".join(filter(None, names)) or None,
        "email": cells.get("email"),
        "external_id": cells.get("external_id"),
        "country": values.country(cells, "country"),
    }
    return values.checked(PartnerCreate, given)


async def bring_links(tx: Tx, ground: Ground, rows: Sequence[Row]) -> list[Outcome]:
    """All at once. A code that its partner has already is left as it is."""
    named = [row.cells["partner"] for row in rows if "partner" in row.cells]
    partners = await partner_names.find(tx, ground, named)
    driver = await tx.driver()
    texts = [row.cells["code"] for row in rows if "code" in row.cells]
    found = await driver.fetch(_OWNERS, ground.workspace, ground.program, texts)
    owners = {one["code"]: UUID(bytes=one["partner_id"].bytes) for one in found}
    outcomes: dict[int, Outcome] = {}
    news: dict[int, NewLink] = {}
    for n, row in enumerate(rows):
        try:
            code, link = _link(ground, row.cells, partners)
        except Problem as problem:
            outcomes[n] = Outcome(problem)
            continue
        if owners.get(code) == link.partner_id:
            outcomes[n] = Outcome()
        else:
            owners.setdefault(code, link.partner_id)
            news[n] = link
    made = await add_each(tx, ground.workspace, list(news.values())) if news else []
    for n, one in zip(news, made, strict=True):
        outcomes[n] = Outcome(one) if isinstance(one, Problem) else Outcome(created=True)
    return [outcomes[n] for n in range(len(rows))]


def _link(
    ground: Ground, cells: Mapping[str, str], partners: partner_names.Partners
) -> tuple[str, NewLink]:
    """With its code, by which it is known again."""
    code = cells.get("code")
    owner = partners.named(cells.get("partner"))
    if code is None or owner is None:
        missing = "code" if code is None else "partner"
        raise values.wrong(missing, "Missing in this row", "Fill it in.")
    body = values.checked(
        LinkCreate,
        {
            "program_id": ground.program,
            "partner_id": owner,
            **{name: cells.get(name) for name in ("code", "destination", "fallback")},
            **{name: cells.get(name) for name in ("expires_at", "asset_id")},
        },
    )
    return code, NewLink(
        program_id=body.program_id,
        partner_id=body.partner_id,
        destination=body.destination,
        code=code,
        fallback=body.fallback,
        expires_at=body.expires_at,
        asset_id=body.asset_id,
    )


PARTNERS: Final = Kind(
    Columns(
        names=("name", "first_name", "last_name", "email", "external_id", "country"),
        required=(("email",), ("name", "first_name", "last_name")),
    ),
    rows_at_once=100,
    bring=bring_partners,
)
LINKS: Final = Kind(
    Columns(
        names=("partner", "code", "destination", "fallback", "expires_at", "asset_id"),
        required=(("partner",), ("code",)),
    ),
    rows_at_once=500,
    bring=bring_links,
)
