"""A deal's way from stage to stage, each step kept with who and when, and what else changes in it.

registered → accepted → qualified → won | lost, or rejected; expired when the lock ends first.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import Row, delete, func, insert, select, update

from app.db.engine import Database
from app.db.tables import Deal, DealKey, DealProspect, DealState
from app.db.tx import Tx
from app.deal_customers import link_deals
from app.errors import Conflict, NotFound
from app.prospects import email_key
from app.wire import In

Stage = Literal["registered", "accepted", "qualified", "won", "lost", "rejected", "expired"]
Action = Literal["accept", "reject", "qualify", "win", "lose", "extend"]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]
OPEN: Final = frozenset({"registered", "accepted", "qualified"})
MAX_EXTENSIONS: Final = 2
"""Of a lock, each by as many days as it had."""
_BATCH: Final = 500

_STEPS: Final[Mapping[Action, tuple[frozenset[str], Stage | None]]] = {
    "accept": (frozenset({"registered"}), "accepted"),
    "reject": (frozenset({"registered", "accepted"}), "rejected"),
    "qualify": (frozenset({"accepted"}), "qualified"),
    "win": (frozenset({"accepted", "qualified"}), "won"),
    "lose": (OPEN, "lost"),
    "extend": (OPEN, None),
}
"""From which stages an action leads to which; to none: the stage stays."""

_EXPIRE: Final = """
WITH due AS (
  SELECT id FROM deals d
  WHERE stage IN ('registered', 'accepted', 'qualified')
    AND lock_until <= (SELECT clock_timestamp())
    AND ($1::uuid IS NULL OR EXISTS (
      SELECT FROM deal_keys k
      WHERE k.workspace_id = $1 AND k.name = ANY($2) AND k.deal_id = d.id
    ))
  ORDER BY lock_until LIMIT $3 FOR UPDATE
), ended AS (
  UPDATE deals SET stage = 'expired', number = number + 1 WHERE id IN (SELECT id FROM due)
  RETURNING workspace_id, id, number, lock_until
), told AS (
  INSERT INTO deal_states (workspace_id, deal_id, number, stage, at, lock_until, reason)
  SELECT workspace_id, id, number, 'expired', lock_until, lock_until, '' FROM ended
), freed AS (
  DELETE FROM deal_keys k USING ended e
  WHERE k.workspace_id = e.workspace_id AND k.deal_id = e.id
)
SELECT count(*) FROM ended
"""


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody does to a deal. customer_external_id: whom the prospect became, on a win."""

    action: Action
    key: UUID
    reason: str = ""
    customer_external_id: str = ""


class DealUpdate(In):
    """What is absent stays. contact_name, contact_email: `null` forgets them; another contact is
    another deal.
    """

    note: Note | None = None
    product: Words | None = None
    contact_name: None = None
    contact_email: None = None


async def take(tx: Tx, workspace: UUID, deal_id: UUID, step: Step) -> None:
    """NotFound; Conflict for a step that does not lead on from where the deal is."""
    deal = await locked(tx, workspace, deal_id)
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    stage = deal.stage if deal.stage not in OPEN or deal.lock_until > now else "expired"
    before, after = _STEPS[step.action]
    names_customer = step.action == "win" and stage == "won" and step.customer_external_id
    if stage not in before and not names_customer:
        raise Conflict(f"The deal is {stage}, so this step does not lead on from there.")
    if step.customer_external_id:
        await _name_customer(tx, workspace, deal_id, step.customer_external_id)
    values: dict[str, Any] = {
        "stage": after or stage,
        "number": deal.number + 1,
        "linked": deal.linked or bool(step.customer_external_id),
    }
    lock_until = deal.lock_until
    if step.action == "extend":
        if deal.extensions >= MAX_EXTENSIONS:
            raise Conflict(f"The lock was extended {MAX_EXTENSIONS} times, which is the most.")
        lock_until += timedelta(days=deal.lock_days)
        values |= {"lock_until": lock_until, "extensions": deal.extensions + 1}
    await tx.execute(update(Deal).where(Deal.id == deal_id).values(**values))
    await tx.execute(
        insert(DealState).values(
            workspace_id=workspace,
            deal_id=deal_id,
            number=values["number"],
            stage=values["stage"],
            at=now,
            lock_until=lock_until,
            key_id=step.key,
            reason=step.reason,
        )
    )
    if values["stage"] == "accepted":
        await link_deals(await tx.driver(), [deal_id])
    if values["stage"] in {"rejected", "lost"}:
        await _release(tx, workspace, deal_id)


async def change(tx: Tx, workspace: UUID, deal_id: UUID, wanted: DealUpdate) -> None:
    """NotFound; Conflict if the prospect was erased and there is nothing left to change."""
    await locked(tx, workspace, deal_id)
    told = {name: value or "" for name, value in wanted.model_dump(exclude_unset=True).items()}
    if "product" in told:
        product = told.pop("product")
        await tx.execute(update(Deal).where(Deal.id == deal_id).values(product=product))
    if told:
        await _change_prospect(tx, workspace, deal_id, told)


async def locked(tx: Tx, workspace: UUID, deal_id: UUID) -> Row[Any]:
    """The deal's row until the transaction ends; NotFound."""
    row = await tx.first(
        select(Deal.__table__)
        .where(Deal.workspace_id == workspace, Deal.id == deal_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound
    return row


async def expire(tx: Tx, workspace: UUID, names: Collection[str]) -> None:
    """Free keys whose deals' locks have ended, before anybody asks who keeps them."""
    driver = await tx.driver()
    await driver.execute(_EXPIRE, workspace, list(names), _BATCH)


async def expire_due(database: Database) -> int:
    """Write down every lock that has ended, in all workspaces; how many."""
    expired = 0
    while True:
        async with database.tx() as tx:
            driver = await tx.driver()
            count: int = await driver.fetchval(_EXPIRE, None, [], _BATCH)
        expired += count
        if count < _BATCH:
            return expired


async def _release(tx: Tx, workspace: UUID, deal_id: UUID) -> None:
    """From now on the prospect is anybody's."""
    await tx.execute(
        delete(DealKey).where(DealKey.workspace_id == workspace, DealKey.deal_id == deal_id)
    )


async def _name_customer(tx: Tx, workspace: UUID, deal_id: UUID, external_id: str) -> None:
    """Whom the prospect became; Conflict if that was told otherwise, or was erased."""
    named = await tx.execute(
        update(DealProspect)
        .where(
            DealProspect.workspace_id == workspace,
            DealProspect.deal_id == deal_id,
            DealProspect.customer_external_id.in_(["", external_id]),
        )
        .values(customer_external_id=external_id)
    )
    if named.rowcount == 0:
        raise Conflict("The deal was won with another customer, or its prospect was erased.")


async def _change_prospect(tx: Tx, workspace: UUID, deal_id: UUID, told: dict[str, Any]) -> None:
    own = (DealProspect.workspace_id == workspace, DealProspect.deal_id == deal_id)
    email = await tx.scalar(select(DealProspect.contact_email).where(*own))
    if email is None:
        raise Conflict("Whom this deal was about is erased.")
    await tx.execute(update(DealProspect).where(*own).values(**told))
    if "contact_email" in told and email:
        await tx.execute(
            delete(DealKey).where(
                DealKey.workspace_id == workspace,
                DealKey.deal_id == deal_id,
                DealKey.name == email_key(email),
            )
        )
