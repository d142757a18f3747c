"""Which programs a message may pay: those that it names, of those that its source may pay."""

from uuid import UUID

import pytest

from app.conversions.intake.understood import mapped_json
from app.ids import encode
from tests.contract.standard_objects import mapped, sale

A, B, NONE = (UUID(int=n) for n in (1, 2, 0))


@pytest.mark.parametrize(
    ("named", "of_source", "may_earn"),
    [
        (None, (), []),
        (None, (A, B), [A, B]),
        (A, (), [A]),
        (A, (A, B), [A]),
        # Nobody: an empty list would let all programs earn.
        (B, (A,), [NONE]),
    ],
)
def test_a_message_pays_no_other_program_than_its_source_may(
    named: UUID | None, of_source: tuple[UUID, ...], may_earn: list[UUID]
) -> None:
    meaning = mapped(sale(**({"program_id": encode("prog", named)} if named else {})))
    stored = mapped_json(meaning, (), of_source)["program_ids"]
    assert stored == [str(program) for program in may_earn]
    # As `verify` reads it again, by what was stored.
    assert mapped_json(meaning, (), tuple(map(UUID, stored)))["program_ids"] == stored
