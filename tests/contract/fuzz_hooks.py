"""What schemathesis is told beside the document; loaded by its own process."""

import os
from typing import Any

import schemathesis

OWN_KEY = "FUZZ_OWN_KEY_ID"


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Revoking the key that asks would answer everything after it with 401."""
    own = os.environ[OWN_KEY]
    if case.method == "DELETE" and case.path_parameters.get("key_id") == own:
        case.path_parameters["key_id"] = "key_" + "0" * 26
