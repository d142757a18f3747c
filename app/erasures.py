"""The record of erasures, and the one way to raw bodies that it opens."""

from collections.abc import Mapping
from typing import Any, Literal, Self
from uuid import UUID

from sqlalchemy import func, insert, select, text

from app.db.tables import Erasure
from app.db.tx import Read, Tx
from app.idempotency import erase_answers
from app.ids import uuid7
from app.wire import CustomerId, ErasureId, Instant, KeyId, Out, PartnerId

Kind = Literal["customer", "partner"]


class ErasureOut(Out):
    """One erasure. counts: how much of what was erased; key_id: the key that asked for it.

    customer_id, partner_id: whose data it was; one of them.
    """

    id: ErasureId
    customer_id: CustomerId | None
    partner_id: PartnerId | None
    counts: dict[str, int]
    key_id: KeyId
    erased_at: Instant

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(
            customer_id=row["subject_id"] if row["kind"] == "customer" else None,
            partner_id=row["subject_id"] if row["kind"] == "partner" else None,
            **{name: row[name] for name in ("id", "counts", "key_id", "erased_at")},
        )


async def record(
    tx: Tx, workspace: UUID, *, key: UUID, kind: Kind, subject: UUID, counts: Mapping[str, int]
) -> ErasureOut:
    """Write down an erasure. From here to the transaction's end raw bodies can be deleted.

    tx: in the lane, which it entered before now.
    """
    made = await tx.execute(
        insert(Erasure)
        .values(
            workspace_id=workspace,
            id=uuid7(),
            kind=kind,
            subject_id=subject,
            key_id=key,
            counts=dict(counts),
            erased_at=func.clock_timestamp(),
        )
        .returning(*Erasure.__table__.columns)
    )
    erasure = ErasureOut.of(dict(made.mappings().one()))
    await erase_answers(tx, workspace)
    # The guard of event_bodies looks for this erasure in this transaction.
    await tx.execute(
        text("SELECT set_config('finderfee.erasing', :id, true)").bindparams(id=str(erasure.id))
    )
    return erasure


async def latest(read: Read, workspace: UUID, subject: UUID) -> ErasureOut | None:
    """The last erasure of a customer or partner."""
    rows = await read.dicts(
        select(Erasure.__table__)
        .where(Erasure.workspace_id == workspace, Erasure.subject_id == subject)
        .order_by(Erasure.erased_at.desc(), Erasure.id.desc())
        .limit(1)
    )
    return ErasureOut.of(rows[0]) if rows else None
