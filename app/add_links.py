"""Write tracking links down: one, or many in one transaction with a problem for each row."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Row, select, tuple_

from app import destinations
from app.db import bulk
from app.db.tables import Domain, Enrollment, Link, Partner, Program
from app.db.tx import Tx
from app.errors import CodeTaken, FieldError, InvalidRequest, Problem, all_or_none, unknown
from app.ids import uuid7
from app.tracking_links import NewLink

MAX_LINKS: Final = 1_000
CODE_LENGTH: Final = 8
ALPHABET: Final = "23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
"""Of random codes: without the characters that are mistaken for each other."""
_TRIES: Final = 5
_ROWS_A_TURN: Final = 50

Draft = dict[str, Any]
"""A row of `links`, all of them with the same columns; JSON as text."""


async def add(tx: Tx, workspace: UUID, new: NewLink) -> UUID:
    """Write a link down. NotFound, CodeTaken, or what `destinations.checked` raises."""
    (made,) = await _outcomes(tx, workspace, [new], ["body"])
    if isinstance(made, Problem):
        raise made
    return made


async def add_all(tx: Tx, workspace: UUID, news: Sequence[NewLink]) -> list[UUID]:
    """Their ids in the same order; RowsRefused, with all there is to say, if any can't be made."""
    places = [f"body/links/{row}" for row in range(len(news))]
    return all_or_none(await _outcomes(tx, workspace, news, places), "links")


async def add_each(tx: Tx, workspace: UUID, news: Sequence[NewLink]) -> list[UUID | Problem]:
    """Write down those that can be made: the id of each, or its problem with the field as place."""
    return await _outcomes(tx, workspace, news, ["row"] * len(news))


def refuse_click_parameter(subs: dict[str, str], click_parameter: str, place: str) -> None:
    """A sub-id must not take the click id's name."""
    if click_parameter in subs:
        found = f"{place}/subs/{click_parameter}"
        remedy = "Choose another name."
        raise InvalidRequest(errors=[FieldError(found, "Carries the click id", remedy)])


async def _outcomes(
    tx: Tx, workspace: UUID, news: Sequence[NewLink], places: Sequence[str]
) -> list[UUID | Problem]:
    """The id of each link that was written, the problem of each that was not."""
    grounds = _Grounds(
        programs=await _programs(tx, workspace, news),
        enrolled=await _enrolled(tx, workspace, news),
        domains=await _domains(tx, workspace, news),
    )
    drafts: list[Draft | Problem] = []
    for row, (new, place) in enumerate(zip(news, places, strict=True)):
        if row % _ROWS_A_TURN == _ROWS_A_TURN - 1:
            await asyncio.sleep(0)  # redirects are answered by the same loop
        try:
            drafts.append(_draft(new, grounds, place))
        except Problem as problem:
            drafts.append(problem)
    fixed = {new.code for new in news if new.code}
    written = await _insert(
        tx, [{"workspace_id": workspace, **one} for one in drafts if isinstance(one, dict)], fixed
    )
    return [
        one if isinstance(one, Problem) else one["id"] if one["id"] in written else _taken(place)
        for one, place in zip(drafts, places, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What links stand on. domains: verified ones as (program, host)."""

    programs: dict[UUID, Row[Any]]
    enrolled: frozenset[tuple[UUID, UUID]]
    domains: frozenset[tuple[UUID, str]]


def _draft(new: NewLink, grounds: _Grounds, place: str) -> Draft:
    program = grounds.programs.get(new.program_id)
    if program is None:
        raise unknown(f"{place}/program_id", "No program with this id that is not archived")
    if _pair(new) not in grounds.enrolled:
        problem = "No partner with this id in the program that is not archived"
        raise unknown(f"{place}/partner_id", problem)
    refuse_click_parameter(new.subs, program.click_parameter, place)
    hosts = program.destination_hosts
    return {
        "id": uuid7(),
        "program_id": new.program_id,
        "partner_id": new.partner_id,
        "host": _host(new, grounds, place),
        "code": new.code or _random_code(),
        "destination": program.default_destination
        if new.destination is None
        else destinations.checked(new.destination, hosts, f"{place}/destination"),
        "fallback": new.fallback and destinations.checked(new.fallback, hosts, f"{place}/fallback"),
        # Redirectors of the release before this one still read what links carry of their program.
        "click_parameter": program.click_parameter,
        "expires_at": new.expires_at,
        "subs": _json(new.subs),
        "utm": _json(new.utm),
        "program_utm": _json(program.utm),
        "keeps_network": program.keeps_network,
        "asset_id": new.asset_id,
        "is_default": new.is_default,
    }


def _host(new: NewLink, grounds: _Grounds, place: str) -> str:
    """Its domain in normal form; empty for a link on every host."""
    if new.host is None:
        return ""
    host = destinations.normal_host(new.host, f"{place}/host")
    if (new.program_id, host) not in grounds.domains:
        problem = "Not a verified domain of this program"
        remedy = "Claim it with POST /v1/domains and verify it, or leave it out."
        raise InvalidRequest(errors=[FieldError(f"{place}/host", problem, remedy)])
    return host


async def _programs(tx: Tx, workspace: UUID, news: Sequence[NewLink]) -> dict[UUID, Row[Any]]:
    rows = await tx.all(
        select(
            Program.id,
            Program.destination_hosts,
            Program.default_destination,
            Program.click_parameter,
            Program.utm,
            Program.keeps_network,
        )
        .where(
            Program.workspace_id == workspace,
            Program.id.in_({new.program_id for new in news}),
            Program.archived_at.is_(None),
        )
        .order_by(Program.id)
        # Shared: a change of the program's hosts waits until these links can be seen. Likewise
        # below, whoever archives the partner. In order, so that two such requests can't wait for
        # each other.
        .with_for_update(read=True)
    )
    return {row.id: row for row in rows}


async def _enrolled(
    tx: Tx, workspace: UUID, news: Sequence[NewLink]
) -> frozenset[tuple[UUID, UUID]]:
    rows = await tx.all(
        select(Enrollment.program_id, Enrollment.partner_id)
        .join(Partner, Partner.id == Enrollment.partner_id)
        .where(
            Partner.archived_at.is_(None),
            Enrollment.workspace_id == workspace,
            tuple_(Enrollment.program_id, Enrollment.partner_id).in_({_pair(new) for new in news}),
        )
        .order_by(Partner.id)
        .with_for_update(read=True, of=Partner)
    )
    return frozenset((row.program_id, row.partner_id) for row in rows)


async def _domains(tx: Tx, workspace: UUID, news: Sequence[NewLink]) -> frozenset[tuple[UUID, str]]:
    programs = {new.program_id for new in news if new.host is not None}
    if not programs:
        return frozenset()
    rows = await tx.all(
        select(Domain.program_id, Domain.host)
        .where(
            Domain.workspace_id == workspace,
            Domain.program_id.in_(programs),
            Domain.verified_at.is_not(None),
            Domain.archived_at.is_(None),
        )
        .order_by(Domain.id)
        .with_for_update(read=True)  # whoever archives one counts its links first
    )
    return frozenset((row.program_id, row.host) for row in rows)


async def _insert(tx: Tx, drafts: list[Draft], fixed: set[str]) -> set[UUID]:
    """The ids of those whose code was free. A random one that is taken is drawn again."""
    driver = await tx.driver()
    written: set[UUID] = set()
    for _ in range(_TRIES):
        # Sorted: a taken code waits for whoever is just taking it, and never in a circle.
        left = sorted((one for one in drafts if one["id"] not in written), key=_by_key)
        await bulk.upsert(driver, Link, left, conflict=" ON CONFLICT (host, code) DO NOTHING")
        found = await driver.fetch(
            "SELECT id FROM links WHERE id = ANY($1)", [one["id"] for one in left]
        )
        written |= {UUID(bytes=row["id"].bytes) for row in found}
        redrawn = [one for one in left if one["id"] not in written and one["code"] not in fixed]
        if not redrawn:
            break
        for one in redrawn:
            one["code"] = _random_code()
    return written


def _random_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def _by_key(draft: Draft) -> tuple[str, str]:
    return draft["host"], draft["code"]


def _pair(new: NewLink) -> tuple[UUID, UUID]:
    return new.program_id, new.partner_id


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _taken(place: str) -> CodeTaken:
    return CodeTaken(errors=[FieldError(f"{place}/code", "Taken", "Choose another code.")])
