"""Which of a program's plan versions holds now."""

from typing import Any

from sqlalchemy import Select, func, or_

from app.db.tables import PlanVersion


def in_force(versions: Select[Any]) -> Select[Any]:
    """Of a program's versions the one in force now; there always is one. Partners' own terms are
    left out.
    """
    return (
        versions.where(
            PlanVersion.partner_id.is_(None),
            PlanVersion.published_at.is_not(None),
            or_(
                PlanVersion.effective_from.is_(None),
                PlanVersion.effective_from <= func.clock_timestamp(),
            ),
        )
        .order_by(PlanVersion.effective_from.desc().nulls_last(), PlanVersion.version.desc())
        .limit(1)
    )
