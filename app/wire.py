"""What stands on the wire: amounts, currencies, instants, ids and lists, each strict.

A model for input extends `In`, one for output `Out`; `In` refuses unknown fields.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Generic, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from app.core.countries import COUNTRIES
from app.core.currencies import EXPONENTS
from app.core.money import MAX_AMOUNT
from app.ids import MalformedIdError, Prefix, decode, encode

T = TypeVar("T")

_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_ENDS: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""The first and the last instant that Python knows; the driver takes them for infinity."""
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_SUFFIX_PATTERN: Final = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_SAMPLE_SUFFIX: Final = "01h45ytscbebyvny4gc8cr8ma2"


class In(BaseModel):
    """A body that we take; a field that we don't know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Out(BaseModel):
    """A body that we send. Fields have no defaults, so none is forgotten."""

    model_config = ConfigDict(frozen=True)


class Listed(Out, Generic[T]):
    """One page of a list, newest first. has_more: ask again with `starting_after` = the last id."""

    data: list[T]
    has_more: bool


class IdOf:
    """`Annotated[UUID, IdOf("part")]`: a TypeID on the wire, a UUID in the code."""

    def __init__(self, prefix: Prefix) -> None:
        self.prefix: Final[Prefix] = prefix

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: encode(self.prefix, value),
                return_schema=core_schema.str_schema(),
                when_used="json",
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": f"^{self.prefix}_{_SUFFIX_PATTERN}$",
            "examples": [f"{self.prefix}_{_SAMPLE_SUFFIX}"],
        }

    def _read(self, value: object) -> UUID:
        if isinstance(value, UUID):
            return value
        try:
            return decode(self.prefix, value if isinstance(value, str) else "")
        except MalformedIdError as error:
            raise PydanticCustomError(
                "id_malformed", "Not an id of this kind", {"prefix": self.prefix}
            ) from error


def _read_instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            instant = _ENDS[0]
        if instant not in _ENDS:
            return instant
    raise PydanticCustomError("instant_malformed", "Not an instant with an offset")


def _write_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _known_currency(value: str) -> str:
    if value not in EXPONENTS:
        raise PydanticCustomError("currency_unknown", "Not a currency that we know")
    return value


def _known_country(value: str) -> str:
    if value not in COUNTRIES:
        raise PydanticCustomError("country_unknown", "Not a country that we know")
    return value


def _plausible_email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise PydanticCustomError("email_malformed", "Not an e-mail address")
    return value


Amount = Annotated[
    int,
    Field(strict=True, ge=0, le=MAX_AMOUNT, examples=[1250]),
]
"""Minor units of the currency beside it; a JSON integer, never a string, `1e3` or `10.0`."""

Currency = Annotated[
    str,
    AfterValidator(_known_currency),
    WithJsonSchema({"type": "string", "pattern": "^[a-z]{3}$", "examples": ["usd"]}),
]
"""ISO 4217, lower case."""

Country = Annotated[
    str,
    AfterValidator(_known_country),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$", "examples": ["DE"]}),
]
"""ISO 3166-1 alpha-2, upper case."""

Instant = Annotated[
    datetime,
    BeforeValidator(_read_instant),
    PlainSerializer(_write_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]}),
]
"""RFC 3339 with an offset; UTC in the code and on the way out."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""What people call something."""

ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255)]
"""The caller's own id of something, kept as sent."""

Namespace = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
"""Whose ids a customer's alias is one of: `own`, `stripe:`."""

Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254),
    AfterValidator(_plausible_email),
    Field(examples=["ana@example.com"]),
]
"""One address. Whether somebody reads it, only a letter can tell."""

WorkspaceId = Annotated[UUID, IdOf("ws")]
ProgramId = Annotated[UUID, IdOf("prog")]
PartnerId = Annotated[UUID, IdOf("part")]
LinkId = Annotated[UUID, IdOf("link")]
CodeId = Annotated[UUID, IdOf("code")]
DomainId = Annotated[UUID, IdOf("dom")]
ClickId = Annotated[UUID, IdOf("clk")]
CustomerId = Annotated[UUID, IdOf("cus")]
SourceId = Annotated[UUID, IdOf("src")]
EventId = Annotated[UUID, IdOf("evt")]
ConversionId = Annotated[UUID, IdOf("conv")]
CommissionId = Annotated[UUID, IdOf("com")]
PlanId = Annotated[UUID, IdOf("plan")]
KeyId = Annotated[UUID, IdOf("key")]
AccountId = Annotated[UUID, IdOf("acct")]
ErasureId = Annotated[UUID, IdOf("era")]
DealId = Annotated[UUID, IdOf("deal")]
DealConflictId = Annotated[UUID, IdOf("dlcf")]
ReplayId = Annotated[UUID, IdOf("rply")]
ReconciliationId = Annotated[UUID, IdOf("recn")]
ImportId = Annotated[UUID, IdOf("imp")]
ClaimId = Annotated[UUID, IdOf("clm")]
BacktestId = Annotated[UUID, IdOf("btst")]
