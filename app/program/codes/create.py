"""Make referral codes: one, or many in one transaction with a problem for each row."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import func, select, tuple_

from app.code_news import note
from app.core import codes
from app.db import bulk
from app.db import tables as t
from app.db.tx import Tx
from app.errors import CodeTaken, FieldError, InvalidRequest, Problem, all_or_none, unknown
from app.ids import uuid7
from app.wire import In, Instant, PartnerId, ProgramId

MAX_CODES: Final = 1_000

CodeText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=codes.PATTERN),
    AfterValidator(codes.normal),
    Field(
        description="3 to 64 letters (A to Z), digits, hyphens, underscores and dots; the first"
        " and the last is a letter or a digit. Case does not count: it is kept and shown in upper"
        " case. Unique in the workspace, for good.",
        examples=["ANA10"],
    ),
]
ProviderId = Annotated[
    str,
    StringConstraints(pattern=codes.PROVIDER_ID_PATTERN),
    Field(
        description="The provider, a colon, the discount's id there. One code at a time has it.",
        examples=["stripe:promo_1MiM6KLkdIwHu7ix"],
    ),
]
ProviderIds = Annotated[
    list[ProviderId], Field(max_length=20), AfterValidator(lambda ids: sorted({*ids}))
]


class CodeCreate(In):
    """valid_until: uses from then on don't count; none: for good.

    provider_ids: discounts at providers that are this code there.
    """

    program_id: ProgramId
    partner_id: PartnerId
    code: CodeText
    provider_ids: ProviderIds = []  # noqa: RUF012 (pydantic copies defaults)
    valid_until: Instant | None = None


async def create(tx: Tx, workspace: UUID, new: CodeCreate) -> UUID:
    """NotFound for program or partner; CodeTaken; InvalidRequest for an end in the past."""
    (made,) = await _outcomes(tx, workspace, [new], ["body"])
    if isinstance(made, Problem):
        raise made
    return made


async def create_all(tx: Tx, workspace: UUID, news: Sequence[CodeCreate]) -> list[UUID]:
    """Their ids in the same order; RowsRefused, with all there is to say, if any can't be made."""
    places = [f"body/codes/{row}" for row in range(len(news))]
    return all_or_none(await _outcomes(tx, workspace, news, places), "codes")


def refuse_past(valid_until: datetime | None, now: datetime, place: str) -> None:
    """What counted until now has counted; an end can only be set ahead."""
    if valid_until is not None and valid_until <= now:
        remedy = "Send an instant ahead of now; archive the code to end it at once."
        raise InvalidRequest(errors=[FieldError(f"{place}/valid_until", "Already past", remedy)])


def taken(place: str) -> CodeTaken:
    """Of a code's text or of a provider's id."""
    return CodeTaken(
        "Another code of this workspace has it.",
        errors=[FieldError(place, "Taken", "Choose another one, or take it from the other code.")],
    )


async def name_at_provider(
    tx: Tx, workspace: UUID, named: Sequence[tuple[UUID, str]], now: datetime
) -> set[tuple[UUID, str]]:
    """Give codes their ids at providers; those that are another code's are left out of the answer.

    named: (code, provider id).
    """
    driver = await tx.driver()
    # Sorted, so that two who give the same ids can't wait for each other.
    rows = [
        {
            "workspace_id": workspace,
            "provider_id": provider_id,
            "since": now,
            "until": None,
            "code_id": code,
        }
        for code, provider_id in sorted(named, key=lambda pair: pair[1])
    ]
    await bulk.upsert(driver, t.CodeProviderId, rows, conflict=" ON CONFLICT DO NOTHING")
    found = await tx.all(
        select(
            t.CodeProviderId.code_id, t.CodeProviderId.provider_id, t.CodeProviderId.since
        ).where(
            t.CodeProviderId.workspace_id == workspace,
            t.CodeProviderId.provider_id.in_({provider_id for _, provider_id in named}),
            t.CodeProviderId.until.is_(None),
        )
    )
    await note(tx, workspace, [row.provider_id for row in found if row.since == now])
    return {(row.code_id, row.provider_id) for row in found}


async def _outcomes(
    tx: Tx, workspace: UUID, news: Sequence[CodeCreate], places: Sequence[str]
) -> list[UUID | Problem]:
    """The id of each code that was written, the problem of each that was not."""
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    programs, enrolled = await _grounds(tx, workspace, news)
    drafts: list[UUID | Problem] = []
    for new, place in zip(news, places, strict=True):
        try:
            _refuse(new, place, programs, enrolled)
            refuse_past(new.valid_until, now, place)
            drafts.append(uuid7())
        except Problem as problem:
            drafts.append(problem)
    wanted = [(one, new) for one, new in zip(drafts, news, strict=True) if isinstance(one, UUID)]
    written = await _write(tx, workspace, wanted, now)
    pairs = [(code, p) for code, new in wanted if code in written for p in new.provider_ids]
    named = await name_at_provider(tx, workspace, pairs, now) if pairs else set()
    await note(tx, workspace, [new.code for code, new in wanted if code in written])

    def outcome(made: UUID | Problem, new: CodeCreate, place: str) -> UUID | Problem:
        if isinstance(made, Problem):
            return made
        if made not in written:
            return taken(f"{place}/code")
        foreign = [n for n, p in enumerate(new.provider_ids) if (made, p) not in named]
        return taken(f"{place}/provider_ids/{foreign[0]}") if foreign else made

    return [outcome(*one) for one in zip(drafts, news, places, strict=True)]


def _refuse(
    new: CodeCreate, place: str, programs: set[UUID], enrolled: set[tuple[UUID, UUID]]
) -> None:
    if new.program_id not in programs:
        raise unknown(f"{place}/program_id", "No program with this id that is not archived")
    if (new.program_id, new.partner_id) not in enrolled:
        problem = "No partner with this id in the program that is not archived"
        raise unknown(f"{place}/partner_id", problem)


async def _grounds(
    tx: Tx, workspace: UUID, news: Sequence[CodeCreate]
) -> tuple[set[UUID], set[tuple[UUID, UUID]]]:
    """Programs that are not archived, and the partners in them likewise."""
    programs = await tx.all(
        select(t.Program.id)
        .where(
            t.Program.workspace_id == workspace,
            t.Program.id.in_({new.program_id for new in news}),
            t.Program.archived_at.is_(None),
        )
        .order_by(t.Program.id)
        # Shared: whoever archives the program, or below the partner, waits until these codes can
        # be seen. In order, so that two such requests can't wait for each other.
        .with_for_update(read=True)
    )
    place = tuple_(t.Enrollment.program_id, t.Enrollment.partner_id)
    enrolled = await tx.all(
        select(t.Enrollment.program_id, t.Enrollment.partner_id)
        .join(t.Partner, t.Partner.id == t.Enrollment.partner_id)
        .where(
            t.Enrollment.workspace_id == workspace,
            place.in_({(new.program_id, new.partner_id) for new in news}),
            t.Partner.archived_at.is_(None),
        )
        .order_by(t.Partner.id)
        .with_for_update(read=True, of=t.Partner)
    )
    return {row.id for row in programs}, {(row.program_id, row.partner_id) for row in enrolled}


async def _write(
    tx: Tx, workspace: UUID, wanted: Sequence[tuple[UUID, CodeCreate]], now: datetime
) -> set[UUID]:
    """The ids of those whose text was free."""
    driver = await tx.driver()
    rows: list[dict[str, Any]] = [
        {
            "id": code,
            "workspace_id": workspace,
            "program_id": new.program_id,
            "partner_id": new.partner_id,
            "code": new.code,
            "valid_until": new.valid_until,
        }
        # Sorted: a taken text waits for whoever is just taking it, and never in a circle.
        for code, new in sorted(wanted, key=lambda pair: pair[1].code)
    ]
    await bulk.upsert(driver, t.Code, rows, conflict=" ON CONFLICT (workspace_id, code) DO NOTHING")
    found = await tx.all(select(t.Code.id).where(t.Code.id.in_([code for code, _ in wanted])))
    written: set[UUID] = {row.id for row in found}
    states = [state for code, new in wanted if code in written for state in _states(code, new, now)]
    await bulk.insert(driver, t.CodeState, [{"workspace_id": workspace, **s} for s in states])
    return written


def _states(code: UUID, new: CodeCreate, now: datetime) -> Iterator[dict[str, Any]]:
    yield {"code_id": code, "since": now, "state": "active"}
    if new.valid_until is not None:
        yield {"code_id": code, "since": new.valid_until, "state": "ended"}
