"""`/v1/partners`: partners with their places in programs and their default link."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Row, Select, select
from sqlalchemy.dialects.postgresql import distinct_on

from app.add_partners import EnrollmentCreate, PartnerCreate, create, enroll
from app.auth import Caller, ReadDep, Scope, TxDep, in_lane, needs
from app.companies import companies_of
from app.db.tables import Enrollment, EnrollmentState, Link, Partner, PartnerMember
from app.db.tx import Read, Tx
from app.errors import Conflict, NotFound
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.partners.change import PartnerUpdate, archive, change
from app.tracking_links import BaseUrl, LinkOut, is_archived, select_links
from app.wire import Instant, Listed, Out, PartnerId, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/partners", tags=["Partners"], route_class=Writes)
_ORDER: Final = Order("part", Partner.created_at, Partner.id, Partner.workspace_id)
Reader = Annotated[Caller, Depends(needs(Scope.PARTNERS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.PARTNERS_WRITE))]
Lane = Annotated[Tx, in_lane(Scope.PARTNERS_WRITE)]


class EnrollmentOut(Out):
    """since: of the status."""

    program_id: ProgramId
    status: Literal["active", "suspended"]
    since: Instant
    recruited_by: PartnerId | None


class PartnerOut(Out):
    """default_link: the first that it was given; none once all are archived.

    erased_at: when name, email and external_id were erased. company: the partner that it belongs
    to.
    """

    id: PartnerId
    name: str
    email: str
    external_id: str | None
    country: str | None
    company: PartnerId | None
    enrollments: list[EnrollmentOut]
    default_link: LinkOut | None
    created_at: Instant
    archived_at: Instant | None
    erased_at: Instant | None

    @classmethod
    def of(
        cls,
        row: Row[Any],
        enrollments: Sequence[Row[Any]],
        link: LinkOut | None,
        company: UUID | None,
    ) -> Self:
        return cls(
            id=row.id,
            name=row.name,
            email=row.email,
            external_id=row.external_id,
            country=row.country or None,
            company=company,
            enrollments=[
                EnrollmentOut(
                    program_id=one.program_id,
                    status=one.state,
                    since=one.since,
                    recruited_by=one.recruited_by,
                )
                for one in enrollments
            ],
            default_link=link,
            created_at=row.created_at,
            archived_at=row.archived_at,
            erased_at=row.erased_at,
        )


@router.post("", status_code=201, responses=documented(NotFound, Conflict))
async def create_partner(
    body: PartnerCreate, caller: Writer, tx: TxDep, base_url: BaseUrl
) -> PartnerOut:
    """Make a partner, active in the program, with a link of its own."""
    made = await create(tx, caller.workspace_id, body)
    return await _shown(tx, caller, made.id, base_url)


@router.get("")
async def list_partners(
    caller: Reader,
    read: ReadDep,
    wanted: PageDep,
    base_url: BaseUrl,
    *,
    program_id: Annotated[ProgramId | None, Query()] = None,
    archived: Annotated[bool, Query()] = False,
) -> Listed[PartnerOut]:
    """Partners, of one program if given; `archived=true` lists the archived ones instead."""
    is_archived = Partner.archived_at.is_not(None)
    statement = _partners(caller).where(is_archived if archived else ~is_archived)
    if program_id is not None:
        statement = statement.where(
            select(Enrollment.partner_id)
            .where(
                Enrollment.workspace_id == caller.workspace_id,
                Enrollment.program_id == program_id,
                Enrollment.partner_id == Partner.id,
            )
            .exists()
        )
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    shown = await _with_places(read, caller, rows, base_url)
    return Listed(data=shown, has_more=has_more)


@router.get("/{partner_id}")
async def get_partner(
    partner_id: PartnerId, caller: Reader, read: ReadDep, base_url: BaseUrl
) -> PartnerOut:
    """One partner."""
    return await _shown(read, caller, partner_id, base_url)


@router.patch("/{partner_id}", responses=documented(Conflict))
async def change_partner(
    partner_id: PartnerId, body: PartnerUpdate, caller: Writer, tx: Lane, base_url: BaseUrl
) -> PartnerOut:
    """Change what is given; `enrollments` suspends and reactivates program by program."""
    await change(tx, caller.workspace_id, partner_id, body)
    return await _shown(tx, caller, partner_id, base_url)


@router.post("/{partner_id}/enrollments", status_code=201, responses=documented(Conflict))
async def enroll_partner(
    partner_id: PartnerId, body: EnrollmentCreate, caller: Writer, tx: TxDep, base_url: BaseUrl
) -> PartnerOut:
    """Give a partner a place in a further program, with a link there."""
    await enroll(tx, caller.workspace_id, partner_id, body)
    return await _shown(tx, caller, partner_id, base_url)


@router.delete("/{partner_id}")
async def archive_partner(
    partner_id: PartnerId, caller: Writer, tx: Lane, base_url: BaseUrl
) -> PartnerOut:
    """Archive a partner and its links. Money that was earned stays and is paid."""
    await archive(tx, caller.workspace_id, partner_id)
    return await _shown(tx, caller, partner_id, base_url)


async def _shown(
    read: Read, caller: Caller, partner_id: PartnerId, base_url: BaseUrl
) -> PartnerOut:
    row = await read.first(_partners(caller).where(Partner.id == partner_id))
    if row is None:
        raise NotFound
    return (await _with_places(read, caller, [row], base_url))[0]


async def _with_places(
    read: Read, caller: Caller, rows: Sequence[Row[Any]], base_url: BaseUrl
) -> list[PartnerOut]:
    ids = [row.id for row in rows]
    links = await _default_links(read, caller, ids)
    places = await _enrollments(read, caller, ids)
    companies = await companies_of(read, caller.workspace_id, ids)
    return [
        PartnerOut.of(
            row,
            [one for one in places if one.partner_id == row.id],
            LinkOut.of(links[row.id], base_url) if row.id in links else None,
            companies.get(row.id),
        )
        for row in rows
    ]


async def _default_links(
    read: Read, caller: Caller, ids: Sequence[UUID]
) -> Mapping[UUID, Row[Any]]:
    rows = await read.all(
        select_links(caller.workspace_id)
        .where(Link.partner_id.in_(ids), Link.is_default, ~is_archived(caller.workspace_id))
        .order_by(Link.created_at.desc(), Link.id.desc())
    )
    # The oldest comes last and stays.
    return {row.partner_id: row for row in rows}


async def _enrollments(read: Read, caller: Caller, ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    return await read.all(
        select(
            Enrollment.partner_id,
            Enrollment.program_id,
            Enrollment.recruited_by,
            EnrollmentState.state,
            EnrollmentState.since,
        )
        .ext(distinct_on(Enrollment.created_at, Enrollment.program_id, Enrollment.partner_id))
        .join(
            EnrollmentState,
            (EnrollmentState.workspace_id == Enrollment.workspace_id)
            & (EnrollmentState.program_id == Enrollment.program_id)
            & (EnrollmentState.partner_id == Enrollment.partner_id),
        )
        .where(Enrollment.workspace_id == caller.workspace_id, Enrollment.partner_id.in_(ids))
        .order_by(
            Enrollment.created_at,
            Enrollment.program_id,
            Enrollment.partner_id,
            EnrollmentState.since.desc(),
        )
    )


def _partners(caller: Caller) -> Select[Any]:
    member = (
        select(PartnerMember.name, PartnerMember.email)
        .where(
            PartnerMember.workspace_id == Partner.workspace_id,
            PartnerMember.partner_id == Partner.id,
        )
        .order_by(PartnerMember.created_at, PartnerMember.id)
        .limit(1)
        .lateral("first_member")
    )
    return (
        select(*Partner.__table__.columns, member.c.name, member.c.email)
        .join_from(Partner, member, member.c.name.is_not(None))
        .where(Partner.workspace_id == caller.workspace_id)
    )
