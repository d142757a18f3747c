"""What a plan asks of a partner before any of its rules is tried: its `gates`."""

import re
from typing import Final
from uuid import UUID

from app.core.documents import Node
from app.core.qualification import Qualification
from app.core.reasons import Reason, because
from app.core.records import record

MAX_TIERS: Final = 100
TIER: Final = re.compile(r"[a-z0-9_-]{1,64}")


@record
class Gates:
    """certified, agreement: whether it needs a certificate, or an accepted agreement. tiers: any
    of them; none: any tier or no tier.
    """

    certified: bool = False
    tiers: tuple[str, ...] = ()
    agreement: bool = False

    def __bool__(self) -> bool:
        return self.certified or bool(self.tiers) or self.agreement


OPEN: Final = Gates()


def read_gates(node: Node) -> Gates:
    """Problems are left in the node; an absent one is open to everyone."""
    if node.absent:
        return OPEN
    fields = node.fields((), ("certified", "tiers", "agreement"))
    for field in (fields["certified"], fields["agreement"]):
        if field.value is False:
            field.refuse("asks for nothing", "Give true, or leave it out.")
    return Gates(
        fields["certified"].flag(), read_tiers(fields["tiers"]), fields["agreement"].flag()
    )


def gates_document(gates: Gates) -> dict[str, object]:
    """The normal form: what is asked for; empty if nothing is."""
    return {
        **({"certified": True} if gates.certified else {}),
        **({"tiers": list(gates.tiers)} if gates.tiers else {}),
        **({"agreement": True} if gates.agreement else {}),
    }


def read_tiers(node: Node) -> tuple[str, ...]:
    """A list of tiers' ids, each once; empty if it is absent."""
    tiers: list[str] = []
    for element in node.elements(least=1, most=MAX_TIERS):
        tier = element.text(64)
        if tier and not TIER.fullmatch(tier):
            element.refuse("is not a tier's id", "Use a-z, 0-9, '_' and '-'.")
        elif tier in tiers:
            element.refuse("is given twice", "Leave one of them out.")
        tiers.append(tier)
    return tuple(tiers)


def closed_gates(gates: Gates, partner: Qualification, partner_id: UUID) -> tuple[Reason, ...]:
    """A reason for each gate that the partner does not pass."""
    reasons: list[Reason] = []
    if gates.certified and not partner.certified:
        reasons.append(because("gate_certified", partner_id=partner_id))
    if gates.tiers and partner.tier not in gates.tiers:
        tiers, found = gates.tiers[:20], partner.tier
        reasons.append(because("gate_tier", partner_id=partner_id, wanted=tiers, found=found))
    if gates.agreement and not partner.agreement:
        reasons.append(because("gate_agreement", partner_id=partner_id))
    return tuple(reasons)
