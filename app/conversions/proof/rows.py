"""Conversions and commissions as decided anew, against the rows that are stored."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from app.conversions.canon import credits_of, reasons_json
from app.conversions.proof.finding import Finding
from app.conversions.proof.replay import Replay
from app.conversions.recording.money import beneficiary
from app.conversions.tally_canon import positions_json
from app.core.conversions import Award, Conversion
from app.core.status import status_of
from app.core.tallies import Positions
from app.core.transfers import Standing
from app.ids import encode

_CONVERSION: Final = (
    ("key", "key"),
    ("kind", "kind"),
    ("source", "source"),
    ("new", "is_new"),
    ("occurred_at", "occurred_at"),
    ("gross", "gross"),
    ("base", "base"),
    ("currency", "currency"),
    ("refunded", "refunded"),
    ("subscription", "subscription"),
    ("program_id", "program_id"),
    ("bound_at", "bound_at"),
    ("hold_until", "hold_until"),
    ("recorded_at", "recorded_at"),
)
"""Field of the core's conversion, column of the table."""
_AWARD: Final = (
    "program_id", "plan_version_id", "plan_version", "rule_id", "base", "amount",
    "currency", "rate_bps", "reversed",
)  # fmt: skip


def differences(
    people: Iterable[tuple[UUID, Replay]],
    conversions: Sequence[Mapping[str, Any]],
    commissions: Sequence[Mapping[str, Any]],
) -> list[Finding]:
    """Every column that is not what the decisions make it, and rows too many or too few."""
    stored_conversions = {row["id"]: row for row in conversions}
    stored_commissions = {row["id"]: row for row in commissions}
    findings: list[Finding] = []
    for customer, person in people:
        for conversion in person.conversions:
            row = stored_conversions.pop(conversion.id, None)
            findings += _conversion(customer, conversion, row)
            findings += _place(conversion, person.positions.get(conversion.id, {}), row)
            for award in conversion.awards:
                commission = stored_commissions.get(award.commission_id)
                findings += _award(conversion, award, commission)
        for old, new in person.superseded.items():
            row = stored_conversions.pop(old, None)
            if row is None or row["superseded_by"] != new:
                place = f"conversion {encode('conv', old)}"
                findings.append(Finding(place, f"should be superseded by {encode('conv', new)}"))
        for commission_id, standing in person.standings.items():
            findings += standing_findings(standing, stored_commissions.pop(commission_id, None))
    findings += [
        Finding(f"conversion {encode('conv', i)}", "no decision makes it")
        for i in stored_conversions
    ]
    findings += [
        Finding(f"commission {encode('com', i)}", "no decision awards it")
        for i in stored_commissions
    ]
    return findings


def _conversion(
    customer: UUID, conversion: Conversion, row: Mapping[str, Any] | None
) -> list[Finding]:
    place = f"conversion {encode('conv', conversion.id)}"
    if row is None:
        return [Finding(place, "missing")]
    pairs = [(column, getattr(conversion, name), row[column]) for name, column in _CONVERSION]
    pairs += [
        ("customer_id", customer, row["customer_id"]),
        ("superseded_by", None, row["superseded_by"]),
        ("credits", conversion.credits, credits_of(row["credits"])),
        ("reasons", _plain(conversion.reasons), row["reasons"]),
    ]
    return unequal(place, pairs)


def _place(
    conversion: Conversion, positions: Positions, row: Mapping[str, Any] | None
) -> list[Finding]:
    if row is None:
        return []
    pair = ("positions", positions_json(positions) or None, row["positions"])
    return unequal(f"conversion {encode('conv', conversion.id)}", [pair])


def _award(conversion: Conversion, award: Award, row: Mapping[str, Any] | None) -> list[Finding]:
    if row is None:
        return []  # told as missing with its standing
    pairs = [(column, getattr(award, column), row[column]) for column in _AWARD]
    pairs += [(column, value, row[column]) for column, value in beneficiary(award).items()]
    pairs += [
        ("conversion_id", conversion.id, row["conversion_id"]),
        ("hold_until", conversion.hold_until, row["hold_until"]),
        ("occurred_at", conversion.occurred_at, row["occurred_at"]),
        ("explanation", _plain(award.reasons), row["explanation"]),
    ]
    return unequal(f"commission {encode('com', award.commission_id)}", pairs)


def standing_findings(standing: Standing, row: Mapping[str, Any] | None) -> list[Finding]:
    """Where a commission stands by its decisions, against its row."""
    place = f"commission {encode('com', standing.commission_id)}"
    if row is None:
        return [Finding(place, "missing")]
    status = status_of(
        amount=standing.amount,
        reversed_=standing.reversed,
        paid=row["paid"],
        matured=standing.matured,
        held=standing.held,
    )
    pairs: list[tuple[str, Any, Any]] = [
        ("amount", standing.amount, row["amount"]),
        ("reversed", standing.reversed, row["reversed"]),
        ("held", standing.held, row["held"]),
        ("superseded", standing.superseded, row["superseded"]),
        ("transfers", standing.transfers, row["transfers"]),
        ("status", status, row["status"]),
    ]
    if standing.superseded:
        # No award tells whose it was; if it is taken up again, it goes to whom the row names.
        whose = "rewarded_customer_id" if standing.of_customer else "partner_id"
        pairs.append(("program_id", standing.program_id, row["program_id"]))
        pairs.append((whose, standing.partner_id, row[whose]))
        pairs.append(("currency", standing.currency, row["currency"]))
    findings = unequal(place, pairs)
    if row["matured_at"] is not None and row["matured_at"] <= row["hold_until"]:
        findings.append(Finding(place, "matured before its hold was over"))
    return findings


def unequal(place: str, pairs: Iterable[tuple[str, Any, Any]]) -> list[Finding]:
    """pairs: a column, what it should be, and what is stored."""
    return [
        Finding(place, f"{column} is {stored!r}, should be {computed!r}")
        for column, computed, stored in pairs
        if computed != stored
    ]


def _plain(reasons: Any) -> list[dict[str, Any]]:
    return [
        {"code": r["code"], "params": {k: _list(v) for k, v in r["params"].items()}}
        for r in reasons_json(reasons)
    ]


def _list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
