"""Reasons for people: each code of the core as an English sentence with its parameters.

Reasons are stored as codes with ids and numbers; words are added here, at the edge.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import UUID

from pydantic import Field

from app.core.currencies import EXPONENTS
from app.core.units import PIECES, read_unit
from app.ids import Prefix, encode
from app.sentence_table import SENTENCES
from app.wire import Out

_KINDS: Final[Mapping[str, Prefix]] = {
    "click_id": "clk",
    "link_id": "link",
    "partner_id": "part",
    "program_id": "prog",
    "chosen_program_id": "prog",
    "by": "conv",
    "deal_id": "deal",
}
_AMOUNTS: Final = frozenset(
    {"base", "amount", "flat", "refunded", "disputed", "gross", "limit", "used", "minimum"}
    | {"start", "least", "before", "after", "paid"}
)
_INSTANTS: Final = frozenset(
    {"at", "first_at", "sale_at", "closed_at", "since", "touch_at", "until", "ended_at"}
)


class ReasonOut(Out):
    """One step of an explanation. code and params are for programs, text is for people."""

    code: str = Field(examples=["outside_window"])
    params: dict[str, Any] = Field(examples=[{"age_s": 3000000, "window_days": 30}])
    text: str

    @classmethod
    def of(cls, reason: Mapping[str, Any]) -> Self:
        """From its stored form, `{code, params}`."""
        code, params = reason["code"], wire_params(reason["params"])
        return cls(code=code, params=params, text=sentence(code, params))

    @classmethod
    def all_of(cls, reasons: Sequence[Mapping[str, Any]]) -> list[Self]:
        return [cls.of(reason) for reason in reasons]


def wire_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Stored parameters as the API shows them: ids with their prefixes, instants with a Z."""
    return {name: _on_the_wire(name, value) for name, value in params.items()}


def sentence(code: str, params: Mapping[str, Any]) -> str:
    """The sentence of a code. params: as `wire_params` gives them; what is missing reads `?`."""
    told = {name: _in_words(name, value, params) for name, value in params.items()}
    words = _Words({**_touch_words(params), **told, "credited": _credited(params)})
    words["of_level"] = f" (level {params['level']})" if "level" in params else ""
    if code == "rule_paid":
        words["to_whom"] = _to_whom(params, words)
        words["how"] = _how(params, words)
        if "quantity" in params:
            words["base"] = "the sale"
        elif params.get("of") == "commission":
            words["base"] = f"the partner's commission of {words['base']}"
        if "as" in params and "quantity" not in params:
            words["amount"] += f" as {params['as']}"
    if code.startswith("cap_") or code == "not_reached":
        words["in_period"] = _in_period(params)
        words.setdefault("per", "customer")
    if code in {"trued_up", "not_trued_up"}:
        words["reached"] = _reached(params, words)
    if "within" in params:
        words["stood"] = _stood(params, words)
    return SENTENCES[code].format_map(words)


def _touch_words(params: Mapping[str, Any]) -> dict[str, str]:
    """What a reason calls its touch, and from when on its age counts."""
    match params.get("kind", "click"):
        case "code":
            return {"touch": f"The code `{params.get('code')}`", "place": "", "anchor": "the sale"}
        case "referrer":
            return {"touch": "The referral", "place": "", "anchor": "the sale"}
        case "self_reported":
            return {"touch": "What the customer said", "place": "", "anchor": "the sale"}
        case "deal":
            lead = f"The registered lead {params.get('deal_id', '?')}"
            return {"touch": lead, "place": "", "anchor": "the sale"}
        case _:
            return {
                "touch": f"The click {params.get('click_id', '?')}",
                "place": f" on {params.get('link_id', '?')}",
                "anchor": "the customer's first conversion",
            }


class _Words(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return "?"


def money(amount: int, currency: str) -> str:
    """`money(1250, "usd")` → `12.50 USD`; of other units `12.50 EUR credit`, `2 × gift mug`."""
    unit = read_unit(currency)
    if unit.form in PIECES:
        return (
            f"{amount} × {unit.form.replace('_', ' ').removesuffix('s')} {unit.item or ''}".strip()
        )
    if unit.form != "cash":
        return f"{money(amount, unit.currency or '')} {unit.form}"
    exponent = EXPONENTS.get(currency, 0)
    sign, digits = "-" if amount < 0 else "", str(abs(amount)).rjust(exponent + 1, "0")
    cut = len(digits) - exponent
    fraction = f".{digits[cut:]}" if exponent else ""
    return f"{sign}{digits[:cut]}{fraction} {currency.upper()}"


def _on_the_wire(name: str, value: Any) -> Any:
    if name in _KINDS and isinstance(value, str):
        return encode(_KINDS[name], UUID(value))
    if name in _INSTANTS and isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _in_words(name: str, value: Any, params: Mapping[str, Any]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if name in _AMOUNTS and isinstance(value, int) and "currency" in params:
        return money(value, str(params["currency"]))
    if name in {"currency", "sale_currency"}:
        return str(value).upper()
    if name in {"share_bps", "min_share_bps", "rate_bps"} and isinstance(value, int):
        return percent(value)
    if name == "age_s" and isinstance(value, int):
        return _duration(value)
    if name == "code":
        return f"`{value}`" if value else "like what was typed"
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value) or "none"
    return str(value) if value != "" else "none"


def _credited(params: Mapping[str, Any]) -> str:
    """A partner's share, where several may have one."""
    return f" ({percent(params['bps'])})" if "bps" in params else ""


def percent(bps: int) -> str:
    """`percent(1250)` → `12.5 %`."""
    whole, rest = divmod(int(bps), 100)
    return (f"{whole}.{rest:02}".rstrip("0") if rest else str(whole)) + " %"


def _to_whom(params: Mapping[str, Any], words: Mapping[str, str]) -> str:
    return f"the {params['to']}{words['of_level']} " if "to" in params else ""


def _how(params: Mapping[str, Any], words: Mapping[str, str]) -> str:
    if "rate_bps" in params:
        return f"{percent(params['rate_bps'])} of"
    if "before" in params:
        return f"by its bands, from {words['before']} in {params['within']} on, for"
    flat = str(params["quantity"]) if "quantity" in params else f"a flat {words['flat']}"
    per = params.get("per")
    return f"{flat} for each of {params['times']} {params['per']}s in" if per else f"{flat} for"


def _in_period(params: Mapping[str, Any]) -> str:
    if "within" in params:
        return f" in {params['within']}" if params["within"] != "life" else ""
    period = params.get("period", "life")
    return "" if period == "life" else f" and {period}"


def _stood(params: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Where a partner's period stood before the sale."""
    if "number" in params:
        return f"this is the partner's sale number {words['number']}"
    return f"the partner had sold for {words.get('before', '?')}"


def _reached(params: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """What a partner's period came to, when it was settled."""
    if "number" in params:
        return f"{words['number']} sales of the partner stand"
    return f"the partner sold for {words.get('before', '?')}"


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    shown = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(shown[:2]) or "0 s"
