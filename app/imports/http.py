"""`/v1/imports`: partners, links, customers and past sales by CSV, and what each file came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import Row, Select, select

from app.auth import Caller, ReadDep, Scope, get_database, needs
from app.db.engine import Database
from app.db.tables import Import, ImportProblem, Program
from app.db.tx import Read
from app.errors import FieldError, InvalidRequest, NotFound
from app.ids import uuid7
from app.imports import partners, presets, run, told
from app.imports.header import Header
from app.imports.kinds import Ground, Kind, KindName
from app.imports.presets import PresetName
from app.imports.report import MAX_ERRORS, Report, Tally
from app.limits import MAX_IMPORT_BYTES
from app.openapi import documented
from app.pages import DEFAULT_LIMIT, MAX_LIMIT, Order, PageDep, page
from app.wire import ImportId, Instant, Listed, Out, ProgramId

# Not `Writes`: an idempotency key covers a body, which here is never held as a whole. Each row
# has a key of its own instead.
router: Final = APIRouter(prefix="/imports", tags=["Imports"])
KINDS: Final[Mapping[KindName, Kind]] = {
    "partners": partners.PARTNERS,
    "links": partners.LINKS,
    "customers": told.CUSTOMERS,
    "sales": told.SALES,
}
Reader = Annotated[Caller, Depends(needs(Scope.IMPORTS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.IMPORTS_WRITE))]
_ORDER: Final = Order("imp", Import.created_at, Import.id, Import.workspace_id)
_SILENT_FOR: Final = timedelta(minutes=3)
"""An import that runs and has not been touched for so long has died with its process."""
_DIED: Final = "The process ended while it ran. Rows until then are in."
_MEDIA_TYPES: Final = ("", "text/csv")
_MAX_RENAMED: Final = 100
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": f"CSV (RFC 4180) in UTF-8 with a header, at most {MAX_IMPORT_BYTES} bytes."
        " The columns of each kind: docs/imports.md.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "email,name,external_id\nana@example.com,Ana,aff_1\n",
            }
        },
    }
}


class SumOut(Out):
    """Money in one currency, minor units.

    count, amount: of the file's rows whose amount can be read. imported_count, imported_amount:
    of those that are in afterwards, as they are stored.
    """

    currency: str
    count: int
    amount: int
    imported_count: int
    imported_amount: int


class ImportOut(Out):
    """One file. rows = created + unchanged + failed.

    created: rows that brought something new, or in a dry run would have. state: `stopped` tells
    in `problem` why the file's end was not reached. agrees: every row is in, and in each currency
    what is in is what the file tells.
    """

    id: ImportId
    program_id: ProgramId
    kind: KindName
    dry_run: bool
    state: Literal["running", "done", "stopped"]
    problem: str
    rows: int
    created: int
    unchanged: int
    failed: int
    sums: list[SumOut]
    agrees: bool
    created_at: Instant
    finished_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        plain = (
            "id", "program_id", "kind", "dry_run", "rows", "created", "unchanged", "failed",
            "created_at", "finished_at",
        )  # fmt: skip
        died = row.state == "running" and row.touched_at < datetime.now(UTC) - _SILENT_FOR
        state = "stopped" if died else row.state
        sums = [
            SumOut(
                currency=currency,
                count=count,
                amount=amount,
                imported_count=in_count,
                imported_amount=in_amount,
            )
            for currency, (count, amount, in_count, in_amount) in sorted(row.sums.items())
        ]
        alike = all((s.count, s.amount) == (s.imported_count, s.imported_amount) for s in sums)
        return cls(
            **{name: getattr(row, name) for name in plain},
            state=state,
            problem=_DIED if died else row.problem,
            sums=sums,
            agrees=state == "done" and row.failed == 0 and alike,
        )


class ImportErrorOut(Out):
    """One thing wrong in one row. line: where it begins. field: its column; empty: the row."""

    number: int
    line: int
    field: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """already_paid: of sales, whether the earlier system has paid for them; a column `paid` says it
    row by row. column: `theirs:ours`, or `theirs:-` for one to leave out. preset: names the columns
    of a file that another system documents; `column` goes before it.
    """

    kind: Annotated[KindName, Query()]
    program_id: Annotated[ProgramId, Query()]
    dry_run: Annotated[bool, Query()] = False
    already_paid: Annotated[bool | None, Query()] = None
    column: Annotated[list[str] | None, Query(max_length=_MAX_RENAMED)] = None
    preset: Annotated[PresetName | None, Query()] = None

    @property
    def renamed(self) -> dict[str, str]:
        pairs = [one.rpartition(":") for one in self.column or ()]
        for theirs, _, ours in pairs:
            if not theirs or not ours:
                remedy = "Send `column=Their name:our_name`."
                raise InvalidRequest(errors=[FieldError("query/column", "No such pair", remedy)])
        return {theirs: ours for theirs, _, ours in pairs}


@router.post("", status_code=201, openapi_extra=_BODY, responses=documented(NotFound))
async def import_csv(
    request: Request, caller: Writer, asked: Annotated[_Asked, Depends()]
) -> ImportOut:
    """Import a CSV file, row by row, as it arrives; the answer comes at its end.

    A row that can't be imported is told in `/v1/imports/{id}/errors` and keeps no other row out.
    The same file again changes nothing. A dry run stores its report and nothing else. An
    `Idempotency-Key` is not looked at.
    """
    database = get_database(request)
    await _refuse_unknown_program(database, caller, asked.program_id)
    _refuse_other_media(request)
    kind = KINDS[asked.kind]
    records = run.records(request.stream())
    first = await anext(records, None)
    if first is None:
        empty = FieldError("body", "Empty", "Send a header, and a row for each object.")
        raise InvalidRequest(errors=[empty])
    named = asked.renamed
    if asked.preset is not None:
        theirs = map(str.strip, first.cells)
        named = presets.renamed(asked.preset, asked.kind, theirs) | named
    header = Header(first, kind.columns, named)
    if asked.kind == "sales" and asked.already_paid is None and "paid" not in header.names:
        raise InvalidRequest(errors=[_PAID_UNKNOWN])
    report = Report(caller.workspace_id, uuid7())
    async with database.tx() as tx:
        await report.begin(tx, asked.program_id, caller.key_id, asked.kind, dry_run=asked.dry_run)
    ground = Ground(
        workspace=caller.workspace_id,
        program=asked.program_id,
        click_keys=request.app.state.secret_keys.click_keys,
        now=datetime.now(UTC),
        paid=asked.already_paid,
    )
    one = run.Run(database, kind, ground, report, Tally(), asked.dry_run)
    await one.through(header, records)
    async with database.read() as read:
        return await _shown(read, caller, report.id)


@router.get("")
async def list_imports(caller: Reader, read: ReadDep, wanted: PageDep) -> Listed[ImportOut]:
    """Imports, newest first."""
    rows, has_more = await page(
        read, _imports(caller), _ORDER, wanted, workspace=caller.workspace_id
    )
    return Listed(data=[ImportOut.of(row) for row in rows], has_more=has_more)


@router.get("/{import_id}")
async def get_import(import_id: ImportId, caller: Reader, read: ReadDep) -> ImportOut:
    """One import: how far it is, and what it came to."""
    return await _shown(read, caller, import_id)


@router.get("/{import_id}/errors")
async def list_import_errors(
    import_id: ImportId,
    caller: Reader,
    read: ReadDep,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    starting_after: Annotated[int, Query(ge=0, le=MAX_ERRORS)] = 0,
) -> Listed[ImportErrorOut]:
    """What was wrong in which row, in the order of the file; the first 10,000 are kept.

    starting_after: the last `number` of the page before.
    """
    await _shown(read, caller, import_id)
    rows = await read.all(
        select(*ImportProblem.__table__.columns)
        .where(
            ImportProblem.workspace_id == caller.workspace_id,
            ImportProblem.import_id == import_id,
            ImportProblem.number > starting_after,
        )
        .order_by(ImportProblem.number)
        .limit(limit + 1)
    )
    names = ("number", "line", "field", "problem", "remedy")
    told = [ImportErrorOut(**{name: getattr(row, name) for name in names}) for row in rows[:limit]]
    return Listed(data=told, has_more=len(rows) > limit)


_PAID_UNKNOWN: Final = FieldError(
    "query/already_paid",
    "Not told whether the earlier system has paid for these sales",
    "Send `already_paid=true` or `false`, or a column `paid`.",
)


async def _refuse_unknown_program(database: Database, caller: Caller, program: UUID) -> None:
    async with database.read() as read:
        known = await read.scalar(
            select(Program.id).where(
                Program.workspace_id == caller.workspace_id,
                Program.id == program,
                Program.archived_at.is_(None),
            )
        )
    if known is None:
        problem = "No program with this id that is not archived"
        raise NotFound(problem, errors=[FieldError("query/program_id", problem)])


def _refuse_other_media(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _MEDIA_TYPES:
        remedy = "Send `Content-Type: text/csv`."
        raise InvalidRequest(errors=[FieldError("header/content-type", "Not CSV", remedy)])


async def _shown(read: Read, caller: Caller, import_id: UUID) -> ImportOut:
    row = await read.first(_imports(caller).where(Import.id == import_id))
    if row is None:
        raise NotFound
    return ImportOut.of(row)


def _imports(caller: Caller) -> Select[Any]:
    return select(*Import.__table__.columns).where(Import.workspace_id == caller.workspace_id)
