"""Referral codes as people type them: one normal form, so that case and blanks make no other code.

A code has 3 to 64 of A to Z, 0 to 9, `-`, `_` and `.`, a letter or digit first and last; case does
not count. `provider:id` names a discount at a provider, as it is spelled there.
"""

import re
from typing import Final

PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{1,62}[A-Za-z0-9]$"
PROVIDER_ID_PATTERN: Final = r"^[a-z][a-z0-9_]{1,31}:[A-Za-z0-9_.:=/+-]{1,200}$"
_CODE: Final = re.compile(PATTERN, re.ASCII)
_PROVIDER_ID: Final = re.compile(PROVIDER_ID_PATTERN, re.ASCII)


def normal(text: str) -> str:
    """`normal(" Spring-10 ")` → `SPRING-10`; empty for what can be neither a code nor a
    `provider:id`, so that nothing else that a buyer types is kept.
    """
    text = text.strip()
    if _PROVIDER_ID.fullmatch(text):
        return text
    return text.upper() if _CODE.fullmatch(text) else ""
