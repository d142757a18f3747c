"""Programs, their dated states and plan versions, and the partners in them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Json


class Program(Base):
    """An offer to partners: where its links may lead, and in which currency it reckons."""

    __tablename__ = "programs"
    __table_args__ = (
        Index("ix_programs_workspace_id_created_at", "workspace_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    name: Mapped[str]
    currency: Mapped[str]
    destination_hosts: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    """Hosts in their normal form, to which links may lead."""
    default_destination: Mapped[str]
    click_parameter: Mapped[str] = mapped_column(default="click_id")
    """Query parameter that carries the click token to the destination."""
    utm: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """UTM templates of its links, {field: template}."""
    keeps_network: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether its clicks keep the /24 or /48 of the visitor's address."""
    claim_days: Mapped[int | None]
    """How long after a customer's first sale a partner may claim it; none: for ever."""
    terms_public: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether everybody may read its terms."""
    ltv_cac_floor: Mapped[int] = mapped_column(default=400, server_default=text("400"))
    """The least lifetime value per cost of acquisition that it accepts, in hundredths."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]


class ProgramState(Base):
    """Since when a program is active or paused; a sale is read against its own time."""

    __tablename__ = "program_states"
    __table_args__ = (CheckConstraint("state IN ('active', 'paused')", name="state"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str]


class PlanVersion(Base):
    """One version of a program's terms, or of one partner's own there. Its document never changes
    once published.
    """

    __tablename__ = "plan_versions"
    __table_args__ = (
        UniqueConstraint(
            "workspace_id",
            "program_id",
            "partner_id",
            "version",
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_plan_versions_workspace_id_created_at", "workspace_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"))
    partner_id: Mapped[UUID | None] = mapped_column(ForeignKey("partners.id"))
    """Whose own terms they are; empty: the program's."""
    version: Mapped[int]
    document: Mapped[Json]
    """The plan in its normal form (`core.plans.canonical`, or `canonical_agreement`)."""
    effective_from: Mapped[datetime | None]
    """Sales from then on; empty in the first version, which covers every earlier sale too."""
    effective_until: Mapped[datetime | None]
    """When a partner's own terms end, if they do."""
    published_at: Mapped[datetime | None]
    """Empty: a draft."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Partner(Base):
    """Who may earn. Names and addresses are in `partner_members`."""

    __tablename__ = "partners"
    __table_args__ = (
        Index("ix_partners_workspace_id_created_at", "workspace_id", "created_at", "id"),
        Index(
            "uq_partners_workspace_id_external_id",
            "workspace_id",
            "external_id",
            unique=True,
            postgresql_where="external_id IS NOT NULL",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    external_id: Mapped[str | None]
    country: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    """When its personal data was erased; it is archived then."""


class PartnerCountry(Base):
    """Since when a partner is in a country; `partners.country` is the latest."""

    __tablename__ = "partner_countries"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    country: Mapped[str]
    """ISO 3166-1 alpha-2, or empty."""


class PartnerCompany(Base):
    """Since when a partner belongs to another one, its company."""

    __tablename__ = "partner_companies"
    __table_args__ = (Index("ix_partner_companies_company_id", "workspace_id", "company_id"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    company_id: Mapped[UUID | None] = mapped_column(ForeignKey("partners.id"))
    """Empty: to none from then on."""


class PartnerMember(Base):
    """A person of a partner; the first is the one it was created with. Personal data."""

    __tablename__ = "partner_members"
    __table_args__ = (
        Index("ix_partner_members_workspace_id_partner_id", "workspace_id", "partner_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"))
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"))
    name: Mapped[str]
    email: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Enrollment(Base):
    """A partner's place in a program."""

    __tablename__ = "enrollments"

    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    program_id: Mapped[UUID] = mapped_column(ForeignKey("programs.id"), primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(ForeignKey("partners.id"), primary_key=True)
    recruited_by: Mapped[UUID | None] = mapped_column(ForeignKey("partners.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EnrollmentState(Base):
    """Since when a partner is active or suspended in a program."""

    __tablename__ = "enrollment_states"
    __table_args__ = (CheckConstraint("state IN ('active', 'suspended')", name="state"),)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str]
