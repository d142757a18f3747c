"""What partners have in a program, dated."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class PartnerQualification(Base):
    """What a partner has in a program from an instant on: all of it, so that one row tells it.

    What lies ahead may be written anew; what has begun stays, by a trigger.
    """

    __tablename__ = "partner_qualifications"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workspace_id", "program_id", "partner_id"],
            ["enrollments.workspace_id", "enrollments.program_id", "enrollments.partner_id"],
            name="fk_partner_qualifications_enrollment",
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    tier: Mapped[str]
    """A tier's id, or empty."""
    certified: Mapped[bool]
    certified_until: Mapped[datetime | None]
    """When the certificate runs out."""
    agreement: Mapped[str]
    """Which version of the agreement was accepted, or empty."""
