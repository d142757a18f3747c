"""Parts of bodies that say who may have brought a customer."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from app.conversions.providers.mapping import Alias
from app.conversions.providers.track import OWN
from app.wire import ExternalId, In, PartnerId

ClickIdText = Annotated[str, StringConstraints(min_length=1, max_length=255)]
"""A click token as the visitor brought it; one that is none of ours is told, not refused."""
CodeText = Annotated[
    str, StringConstraints(min_length=1, max_length=255), Field(examples=["ANA10"])
]
"""A referral code as the buyer typed it; one that is unknown or has ended is told, not refused."""


class Clicked(In):
    """The clicks that may have brought a customer: one, or all that are known."""

    click_id: ClickIdText | None = None
    click_ids: Annotated[list[ClickIdText], Field(max_length=20)] = []  # noqa: RUF012 (pydantic)

    @property
    def tokens(self) -> tuple[str, ...]:
        return (*([self.click_id] if self.click_id else []), *self.click_ids)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.click_id is not None and self.click_ids:
            raise ValueError("send click_id or click_ids, not both")
        return self


class ReferrerIn(In):
    """Who referred the customer: a partner, or another customer by your own id of it."""

    partner_id: PartnerId | None = None
    customer_external_id: ExternalId | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.partner_id is None) == (self.customer_external_id is None):
            raise ValueError("send partner_id or customer_external_id")
        return self

    @property
    def named(self) -> UUID | Alias:
        return self.partner_id or Alias(OWN, self.customer_external_id or "")


class SelfReported(In):
    """The customer's answer to "How did you hear about us?".

    answer: in its own words, which decide nothing and are the customer's personal data. partner_id,
    code: whom it named, if your form asks for that; it counts last, and only in programs whose plan
    has a window for it.
    """

    answer: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = Field(
        default="", examples=["A podcast, I think Ana's"]
    )
    partner_id: PartnerId | None = None
    code: CodeText | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.partner_id is not None and self.code is not None:
            raise ValueError("send partner_id or code, not both")
        if not (self.answer or self.partner_id or self.code):
            raise ValueError("send answer, partner_id or code")
        return self

    @property
    def named(self) -> UUID | str:
        return self.partner_id or self.code or ""
