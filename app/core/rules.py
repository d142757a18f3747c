"""One line of a plan: what a sale must be like, and what it then pays."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from app.core.bands import Bands
from app.core.conditions import MAX_CHARACTERS, Condition, ConditionError, compile_condition
from app.core.documents import Fields, Node
from app.core.matches import Match, match_document, read_match
from app.core.pays import Cap, Pay, cap_document, pay_document, read_cap, read_pay
from app.core.records import record
from app.core.rewards import Reward
from app.core.units import PIECES

_RULE_ID: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@record
class Rule:
    """adds: it pays on top of what the others come to, whether or not one of them matches."""

    id: str
    match: Match
    when: Condition | None
    pay: Pay
    cap: Cap | None
    adds: bool


@lru_cache(maxsize=10_000)
def one(rule: Rule) -> Rule:
    """The rule, or one that was read before and is equal: versions have most in common."""
    return rule


def read_rule(node: Node) -> Rule:
    """Problems are left in the node; the rule counts only if there are none."""
    fields = node.fields(("id", "pay"), ("match", "when", "cap", "adds"))
    rule = Rule(
        id=_read_id(fields["id"]),
        match=read_match(fields["match"]),
        when=_read_condition(fields["when"]),
        pay=read_pay(fields["pay"]),
        cap=read_cap(fields["cap"]),
        adds=fields["adds"].flag(),
    )
    how = rule.pay.how
    if isinstance(how, Bands) and how.mode == "whole" and not fields["cap"].absent:
        fields["cap"].refuse("has no meaning with bands of mode whole", "Leave it out.")
    if rule.pay.reward is not None and not fields["cap"].absent:
        _refuse_cap(fields["cap"], rule.pay.reward)
    if rule.pay.reward is not None and rule.pay.reward.to == "customer":
        _refuse_partners_own(fields)
    return rule


def rule_document(rule: Rule) -> dict[str, object]:
    """The normal form of a rule: the defaults of `match` and `pay` written out."""
    document: dict[str, object] = {"id": rule.id, "match": match_document(rule.match)}
    if rule.when is not None:
        document["when"] = rule.when.source
    document["pay"] = pay_document(rule.pay)
    if rule.cap is not None:
        document["cap"] = cap_document(rule.cap)
    if rule.adds:
        document["adds"] = True
    return document


def _refuse_cap(cap: Node, reward: Reward) -> None:
    """Pieces can't be held against money; a share of the commission follows the partner's cap."""
    if reward.of == "commission":
        cap.refuse("has no meaning of commission", "Cap the partner's own rule.")
    elif reward.form in PIECES and isinstance(cap.value, Mapping):
        for name in ("amount", "percent_of_bill_bps"):
            if name in cap.value:
                cap.child(name).refuse(f"has no meaning as {reward.form}", "Give a count.")


def _refuse_partners_own(fields: Fields) -> None:
    """Customers have no totals but those that the rules of each customer know."""
    cap, match = fields["cap"].value, fields["match"].value
    if isinstance(cap, Mapping) and cap.get("per") == "partner":
        fields["cap"].child("per").refuse("partner has no meaning to the customer", "Say customer.")
    if isinstance(match, Mapping) and "reaches" in match:
        fields["match"].child("reaches").refuse("has no meaning to the customer", "Leave it out.")


def _read_id(node: Node) -> str:
    rule_id = node.text(64)
    if rule_id and not _RULE_ID.fullmatch(rule_id):
        node.refuse(
            "is not a rule id",
            "Use a-z, 0-9, '_', '.' and '-', starting with a letter or digit.",
        )
    return rule_id


def _read_condition(node: Node) -> Condition | None:
    source = node.text(MAX_CHARACTERS)
    if not source:
        return None
    try:
        return compile_condition(source)
    except ConditionError as error:
        node.refuse(error.problem, error.remedy)
        return None
