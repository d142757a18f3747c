"""What schemathesis is told beside the document; loaded by its own process."""

import os
from itertools import count
from typing import Any

import schemathesis

OWN_KEY = "FUZZ_OWN_KEY_ID"
HEADER = "Idempotency-Key"
_calls = count()
schemathesis.serializer.alias("text/csv", "text/plain")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Revoking the key that asks would answer everything after it with 401."""
    own = os.environ[OWN_KEY]
    if case.method == "DELETE" and case.path_parameters.get("key_id") == own:
        case.path_parameters["key_id"] = "key_" + "0" * 26
    # Keys are made up again and again, the document's example most of all: nearly every write would
    # be a key used before. Every fourth may.
    given, number = (case.headers or {}).get(HEADER), next(_calls)
    if given and number % 4:
        case.headers[HEADER] = f"{given[:200]}{number}"
