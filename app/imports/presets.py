"""Columns of files that other systems document, by our names.

A preset stands on a list that the vendor has published; none is guessed. What is left out (`-`)
we have no use for, or another kind of the same file takes it.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal

from app.imports.header import IGNORED
from app.imports.kinds import KindName

PresetName = Literal["rewardful"]

# https://help.rewardful.com/en/articles/1988486-how-do-i-import-data-into-rewardful, read in
# November 2026: its import file, a row for each referred customer, beside the names that earlier
# versions of that page gave the same columns. It publishes no columns of its exports.
_CUSTOMER: Final = ("stripe_customer_id", "Stripe Customer ID", "Imported ID")
_EMAIL: Final = ("email", "Email", "Affiliate Email")
_FIRST_NAME: Final = ("first_name", "First Name", "Affiliate First Name")
_LAST_NAME: Final = ("last_name", "Last Name", "Affiliate Last Name")
_TOKEN: Final = ("token", "Token")
_PAYOUT: Final = (
    "paypal_email", "PayPal Email", "Affiliate PayPal Email", "wise_email", "Wise Email",
)  # fmt: skip


def _named(*pairs: tuple[Iterable[str], str]) -> Mapping[str, str]:
    return MappingProxyType({theirs: ours for names, ours in pairs for theirs in names})


PRESETS: Final[Mapping[PresetName, Mapping[KindName, Mapping[str, str]]]] = MappingProxyType(
    {
        "rewardful": MappingProxyType(
            {
                "partners": _named(
                    (_EMAIL, "email"),
                    (_FIRST_NAME, "first_name"),
                    (_LAST_NAME, "last_name"),
                    (_TOKEN, "external_id"),
                    ((*_CUSTOMER, *_PAYOUT), IGNORED),
                ),
                "links": _named(
                    (_EMAIL, "partner"),
                    (_TOKEN, "code"),
                    ((*_CUSTOMER, *_FIRST_NAME, *_LAST_NAME, *_PAYOUT), IGNORED),
                ),
                "customers": _named(
                    (_CUSTOMER, "stripe_customer_id"),
                    (_EMAIL, "partner"),
                    ((*_FIRST_NAME, *_LAST_NAME, *_TOKEN, *_PAYOUT), IGNORED),
                ),
            }
        )
    }
)


def renamed(preset: PresetName, kind: KindName, theirs: Iterable[str]) -> dict[str, str]:
    """Our names of those columns of a file that the preset knows; it has none of past sales."""
    known = PRESETS[preset].get(kind, {})
    return {name: known[name] for name in theirs if name in known}
