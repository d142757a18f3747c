"""A plan's rules by whom they pay: rules compete only for the same recipient."""

from collections.abc import Mapping, Sequence

from app.core.documents import Node
from app.core.records import record
from app.core.rewards import SHARERS, Reward
from app.core.rules import Rule


@record
class Groups:
    """A plan's rules by whom they pay. Rules compete only within a group.

    own: for the credited partner. others: for each other recipient and level, in listed order.
    rewards: by rule, what is not the partner's cash; at least one.
    """

    own: tuple[Rule, ...]
    others: tuple[tuple[Rule, ...], ...]
    rewards: Mapping[str, Reward]

    @property
    def ask_upline(self) -> bool:
        """Whether it matters who recruited a partner, and which company it belongs to."""
        return any(reward.to in SHARERS for reward in self.rewards.values())


def grouped(rules: Sequence[Rule]) -> Groups | None:
    """None: all pay the credited partner in cash."""
    rewards = {rule.id: rule.pay.reward for rule in rules if rule.pay.reward is not None}
    if not rewards:
        return None
    own: list[Rule] = []
    others: dict[tuple[str, int | None], list[Rule]] = {}
    for rule in rules:
        reward = rule.pay.reward
        if reward is None or reward.to == "partner":
            own.append(rule)
        else:
            others.setdefault((reward.to, reward.level), []).append(rule)
    return Groups(tuple(own), tuple(map(tuple, others.values())), rewards)


def refuse_uncompared(node: Node, rules: Sequence[Rule]) -> None:
    """The best of several rules is found by comparing money. node: the list of the rules."""
    for i, (element, rule) in enumerate(zip(_elements(node), rules, strict=False)):
        reward = rule.pay.reward
        if reward is None or reward.form == "cash" or rule.adds:
            continue
        node.child(i, element).refuse(
            f"gives {reward.form}, which best can't compare with money", "Let it add: adds: true."
        )


def _elements(node: Node) -> Sequence[object]:
    return node.value if isinstance(node.value, list | tuple) else ()
