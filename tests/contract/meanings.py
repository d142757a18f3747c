"""What a meaning says, asked alike in the tests of every provider."""

from app.conversions.providers.mapping import Ignored, Meaning, Senseless, body_digest


def reason(meaning: Meaning) -> str:
    """Why a message changes nothing: its code, or where it is wrong."""
    if isinstance(meaning, Senseless):
        return ": ".join(refused(meaning))
    assert isinstance(meaning, Ignored), meaning
    return meaning.reason.code


def refused(meaning: Meaning) -> tuple[str, str]:
    """Place and problem."""
    assert isinstance(meaning, Senseless), meaning
    assert meaning.reason.code == "senseless"
    return str(meaning.reason.params["place"]), str(meaning.reason.params["problem"])


def refused_unnamed(meaning: Meaning, body: bytes) -> tuple[str, str]:
    """Place and problem of a body that tells no id of its own."""
    assert meaning.external_id == body_digest(body)
    return refused(meaning)
