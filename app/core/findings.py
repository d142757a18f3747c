"""What one fold of a history finds, for another one of the same history by other terms.

The other one comes to what it would come to alone: taken over is only what depends on nothing in
which their terms differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from app.core.attribution import Attribution
from app.core.commission import Tried


@dataclass(slots=True)
class Findings:
    """One customer's, whom both folds see in one world but for the terms.

    attribute_alike: whether both terms do. answers: who each conversion goes to, by its id; None:
    not told, or by other terms.
    """

    attribute_alike: bool
    answers: Mapping[UUID, Attribution] | None = None
    _tried: dict[tuple[UUID, UUID], Tried] = field(default_factory=dict)

    def tried_for(self, conversion: UUID, partner: UUID) -> Tried:
        """What rules came to for one partner of a conversion."""
        whose = conversion, partner
        tried = self._tried.get(whose)
        if tried is None:
            tried = self._tried[whose] = Tried(self.attribute_alike)
        return tried
