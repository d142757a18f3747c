"""Cells → values: whole numbers, exact decimals, yes and no; the rest is checked by the models."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app import problems
from app.core.currencies import EXPONENTS
from app.errors import FieldError, InvalidRequest

_WHOLE: Final = re.compile(r"[0-9]{1,15}")
_DECIMAL: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,15}))?")
_WORDS: Final = {"true": True, "false": False}

Model = TypeVar("Model", bound=BaseModel)
Cells = Mapping[str, str]


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The model of these values; InvalidRequest, with a place for each field, if they don't fit."""
    try:
        return model.model_validate({name: v for name, v in values.items() if v is not None})
    except ValidationError as error:
        raise problems.of_validation(RequestValidationError(error.errors())) from None


def wrong(field: str, problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(field, problem, remedy)])


def currency(cells: Cells) -> str | None:
    """ISO 4217 in lower case; `USD` is taken as well."""
    code = cells.get("currency")
    return code and code.lower()


def country(cells: Cells, name: str) -> str | None:
    code = cells.get(name)
    return code and code.upper()


def whole(cells: Cells, name: str) -> int | None:
    text = cells.get(name)
    if text is None:
        return None
    if not _WHOLE.fullmatch(text):
        raise wrong(name, "Not a whole number", "Send digits only, like 1250.")
    return int(text)


def truth(cells: Cells, name: str) -> bool | None:
    text = cells.get(name)
    if text is not None and text.lower() not in _WORDS:
        raise wrong(name, "Neither `true` nor `false`", "Send `true` or `false`.")
    return None if text is None else _WORDS[text.lower()]


def amount(cells: Cells, name: str) -> int | None:
    """Minor units, from `name` or, exact by the currency, from `name_decimal`."""
    minor, text = whole(cells, name), cells.get(f"{name}_decimal")
    if text is None:
        return minor
    if minor is not None:
        raise wrong(name, f"Both `{name}` and `{name}_decimal`", "Send one of them.")
    exponent = EXPONENTS.get(currency(cells) or "")
    if exponent is None:
        return None  # the currency itself is refused
    found = _DECIMAL.fullmatch(text)
    if not found:
        raise wrong(f"{name}_decimal", "Not a decimal", "Send digits and a point, like 12.50.")
    digits = (found[2] or "").rstrip("0")
    if len(digits) > exponent:
        remedy = f"{(currency(cells) or '').upper()} has {exponent}."
        raise wrong(f"{name}_decimal", "More decimals than the currency has", remedy)
    return int(found[1] + digits.ljust(exponent, "0"))
