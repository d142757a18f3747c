"""`/v1/templates`: what a program can start with, and whole programs made of it."""

from typing import Annotated, Final, Self

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints

from app.auth import Caller, Scope, TxDep, needs
from app.core.plans import parse
from app.errors import DestinationNotAllowed, NotFound
from app.openapi import documented
from app.plan_words.plans import told
from app.program.programs.create import Hosts, ProgramCreate, Url, create
from app.program.programs.http import ProgramOut, shown
from app.templates.load import TEMPLATES, Template, TemplateProgram, in_currency
from app.terms import PlanDocument
from app.wire import Currency, In, Listed, Out
from app.writing import Writes

router: Final = APIRouter(prefix="/templates", tags=["Programs and plans"], route_class=Writes)
Reader = Annotated[Caller, Depends(needs(Scope.PROGRAMS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.PROGRAMS_WRITE))]
InCurrency = Annotated[Currency, Query(description="The currency to show amounts in.")]
_SHOWN_IN: Final = "usd"


class TemplateProgramOut(Out):
    """plan: its first terms. words: what they pay, in sentences. agreement: an example of a
    partner's own terms, to be drafted at `/v1/programs/{id}/plans`; mostly none.
    """

    title: str
    plan: PlanDocument
    words: list[str]
    agreement: PlanDocument | None

    @classmethod
    def of(cls, program: TemplateProgram, currency: str) -> Self:
        plan, own = in_currency(program.plan, currency), program.agreement
        return cls(
            title=program.title,
            plan=plan,
            words=[text for _, text in told(parse(plan)).rules],
            agreement=None if own is None else in_currency(own, currency),
        )


class TemplateOut(Out):
    """whom: for whom it is. programs: made together. notes: why it is as it is. by_hand: what is
    not part of the product yet, and how to do without.
    """

    id: str = Field(examples=["invite-only"])
    title: str
    whom: str
    programs: list[TemplateProgramOut]
    notes: list[str]
    by_hand: list[str]

    @classmethod
    def of(cls, template: Template, currency: str) -> Self:
        return cls(
            id=template.id,
            title=template.title,
            whom=template.whom,
            programs=[TemplateProgramOut.of(one, currency) for one in template.programs],
            notes=list(template.notes),
            by_hand=list(template.by_hand),
        )


class TemplateUse(In):
    """name: of several programs each has its title behind it. Amounts are taken over as numbers of
    minor units, in this currency.
    """

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150)]
    currency: Currency
    destination_hosts: Hosts
    default_destination: Url
    terms_public: bool = False


class TemplateUsed(Out):
    """The programs that were made, in the template's order."""

    template_id: str
    programs: list[ProgramOut]


@router.get("")
async def list_templates(_caller: Reader, currency: InCurrency = _SHOWN_IN) -> Listed[TemplateOut]:
    """All templates, with their terms; there is one page of them."""
    data = [TemplateOut.of(template, currency) for template in TEMPLATES.values()]
    return Listed(data=data, has_more=False)


@router.get("/{template_id}")
async def get_template(
    template_id: str, _caller: Reader, currency: InCurrency = _SHOWN_IN
) -> TemplateOut:
    """One template."""
    return TemplateOut.of(_known(template_id), currency)


@router.post(
    "/{template_id}/programs", status_code=201, responses=documented(DestinationNotAllowed)
)
async def create_from_template(
    template_id: str, body: TemplateUse, caller: Writer, tx: TxDep
) -> TemplateUsed:
    """Make the template's programs, all or none. From then on they are as if made by hand."""
    template = _known(template_id)
    made = [
        await create(tx, caller.workspace_id, _wanted(template, program, body))
        for program in template.programs
    ]
    programs = [await shown(tx, caller, program.id) for program in made]
    return TemplateUsed(template_id=template.id, programs=programs)


def _known(template_id: str) -> Template:
    template = TEMPLATES.get(template_id)
    if template is None:
        raise NotFound
    return template


def _wanted(template: Template, program: TemplateProgram, body: TemplateUse) -> ProgramCreate:
    """The request that a person would have sent."""
    is_one = len(template.programs) == 1
    return ProgramCreate(
        name=body.name if is_one else f"{body.name}: {program.title}",
        currency=body.currency,
        destination_hosts=body.destination_hosts,
        default_destination=body.default_destination,
        terms_public=body.terms_public,
        plan=in_currency(program.plan, body.currency),
    )
