"""Every reason that the core can give has a sentence, with its parameters in words."""

import re
from pathlib import Path
from uuid import UUID

import pytest

from app.core import reasons
from app.ids import encode
from app.sentence_table import SENTENCES
from app.sentences import ReasonOut, money, sentence, wire_params

ONE = UUID("018f2c5e-0000-7000-8000-000000000001")


def test_every_code_has_a_sentence_and_no_other_has() -> None:
    assert set(SENTENCES) == reasons.CODES


@pytest.mark.parametrize("code", sorted(reasons.CODES))
def test_a_sentence_uses_only_parameters_that_its_code_names(code: str) -> None:
    source = Path(reasons.__file__).read_text()
    listed = re.search(rf'"{code}",(?:  # (.*))?$', source, re.MULTILINE)
    assert listed is not None
    named = set(re.findall(r"\w+", listed[1] or ""))
    used = set(re.findall(r"\{(\w+)\}", SENTENCES[code]))
    # Worked out of the others.
    used -= {
        "how",
        "in_period",
        "touch",
        "place",
        "anchor",
        "credited",
        "of_level",
        "to_whom",
        "stood",
        "reached",
    }
    assert used <= named


def test_a_share_is_told_where_several_may_have_one() -> None:
    params = {"partner_id": "part_1", "program_id": "prog_1", "model": "linear", "bps": 3334}
    assert sentence("attributed", params) == (
        "By linear, part_1 (33.34 %) brought this customer to the program prog_1."
    )
    del params["bps"]
    assert "part_1 brought" in sentence("attributed", params)


def test_a_paid_rule_tells_rate_base_and_amount() -> None:
    params = {"rule": "std", "rate_bps": 2050, "base": 10_000, "amount": 2050, "currency": "usd"}
    assert sentence("rule_paid", params) == ("The rule `std` pays 20.5 % of 100.00 USD: 20.50 USD.")


def test_a_flat_rule_tells_what_it_pays() -> None:
    params = {"rule": "std", "flat": 5, "base": 100, "amount": 5, "currency": "jpy"}
    assert sentence("rule_paid", params) == "The rule `std` pays a flat 5 JPY for 100 JPY: 5 JPY."


def test_stored_ids_and_instants_become_those_of_the_wire() -> None:
    params = {"program_id": str(ONE), "at": "2026-01-01T00:00:00+00:00"}
    shown = ReasonOut.of({"code": "program_paused", "params": params})
    assert shown.params == {"program_id": encode("prog", ONE), "at": "2026-01-01T00:00:00Z"}
    assert shown.text == f"The program {encode('prog', ONE)} was paused at 2026-01-01T00:00:00Z."


def test_a_missing_parameter_does_not_break_an_explanation() -> None:
    assert sentence("program_paused", {}) == "The program ? was paused at ?."
    assert wire_params({}) == {}


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (5, "usd", "0.05 USD"),
        (-1250, "eur", "-12.50 EUR"),
        (7, "jpy", "7 JPY"),
        (1, "kwd", "0.001 KWD"),
        (0, "usd", "0.00 USD"),
    ],
)
def test_money_has_its_currency_s_decimals(amount: int, currency: str, shown: str) -> None:
    assert money(amount, currency) == shown
