"""Make a program with the first version of its terms, in force for every sale there ever was."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import func, insert

from app import destinations, terms
from app.apart import apart
from app.db.tables import PlanVersion, Program, ProgramState
from app.db.tx import Tx
from app.ids import uuid7
from app.terms import PlanDocument
from app.utm import Utm
from app.wire import Currency, In, Name

MAX_HOSTS: Final = 50

Hosts = Annotated[
    list[Annotated[str, StringConstraints(max_length=260)]],
    Field(
        min_length=1,
        max_length=MAX_HOSTS,
        description="Hosts that links may lead to, each exactly, with its port if it has one.",
        examples=[["shop.example.com"]],
    ),
]
Url = Annotated[
    str, StringConstraints(max_length=2_048), Field(examples=["https://shop.example.com/"])
]
ClickParameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


ClaimDays = Annotated[
    int | None,
    Field(
        strict=True,
        ge=1,
        le=3_650,
        description="How many days after a customer's first sale partners may claim it; null: for"
        " ever.",
    ),
]
DEFAULT_FLOOR: Final = 400
LtvCacFloor = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=100_000,
        description="The least LTV:CAC that an incentive may leave, in hundredths: 400 is 4:1.",
    ),
]


class ProgramCreate(In):
    """default_destination: where links lead that name none; one of the hosts."""

    name: Name
    currency: Currency
    destination_hosts: Hosts
    default_destination: Url
    click_parameter: ClickParameter = "click_id"
    utm: Utm = {}  # noqa: RUF012 (pydantic copies defaults)
    keeps_network: bool = Field(
        default=False,
        description="Keep the /24 (IPv4) or /48 (IPv6) of visitors' addresses with clicks.",
    )
    claim_days: ClaimDays = None
    terms_public: bool = Field(
        default=False, description="Whether everybody may read its terms at /terms/{id}."
    )
    ltv_cac_floor: LtvCacFloor = DEFAULT_FLOOR
    plan: PlanDocument


@dataclass(frozen=True, slots=True)
class NewProgram:
    """What was made."""

    id: UUID
    plan_id: UUID


async def create(tx: Tx, workspace: UUID, new: ProgramCreate) -> NewProgram:
    """PlanInvalid, InvalidRequest or DestinationNotAllowed for what does not fit."""
    plan = await apart(partial(terms.checked, new.plan))
    hosts = normal_hosts(new.destination_hosts)
    made = NewProgram(id=uuid7(), plan_id=uuid7())
    await tx.execute(
        insert(Program).values(
            id=made.id,
            workspace_id=workspace,
            name=new.name,
            currency=new.currency,
            destination_hosts=hosts,
            default_destination=destinations.checked(
                new.default_destination, hosts, "body/default_destination"
            ),
            click_parameter=new.click_parameter,
            utm=new.utm,
            keeps_network=new.keeps_network,
            claim_days=new.claim_days,
            terms_public=new.terms_public,
            ltv_cac_floor=new.ltv_cac_floor,
        )
    )
    await tx.execute(
        insert(ProgramState).values(
            workspace_id=workspace,
            program_id=made.id,
            since=func.clock_timestamp(),
            state="active",
        )
    )
    await tx.execute(
        insert(PlanVersion).values(
            id=made.plan_id,
            workspace_id=workspace,
            program_id=made.id,
            version=1,
            document=plan,
            published_at=func.clock_timestamp(),
        )
    )
    return made


def normal_hosts(hosts: list[str]) -> list[str]:
    """In their normal form, each once, in their order."""
    return list(
        dict.fromkeys(
            destinations.normal_host(host, f"body/destination_hosts/{i}")
            for i, host in enumerate(hosts)
        )
    )
