"""The closed list of problems that a caller can meet, as RFC 9457 answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong in the input. place: `body/amount`; remedy: what to do instead."""

    place: str
    problem: str
    remedy: str = ""


class Problem(Exception):  # noqa: N818 (RFC 9457's own word)
    """A caller's problem. Raise a subclass; the app turns it into `application/problem+json`."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something broke on our side"
    max_errors: ClassVar[int] = 20
    """How many errors an answer tells at most."""

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s


class InvalidRequest(Problem):
    status, code, title = 422, "invalid_request", "The request does not fit its schema"


class MalformedJson(Problem):
    status, code, title = 400, "malformed_json", "The body is not the JSON that we take"


class BodyTooLarge(Problem):
    status, code, title = 413, "body_too_large", "The body is over the limit"


class Unauthorized(Problem):
    status, code, title = 401, "unauthorized", "No valid API key"


class SignatureInvalid(Problem):
    status, code, title = 401, "signature_invalid", "The webhook's signature does not verify"


class MissingScope(Problem):
    status, code, title = 403, "missing_scope", "The key lacks a scope"


class OriginNotAllowed(Problem):
    status, code, title = 403, "origin_not_allowed", "The key does not work on this site"


class NotFound(Problem):
    status, code, title = 404, "not_found", "There is no such object in this workspace"


def unknown(place: str, problem: str) -> NotFound:
    """For an id in the input that leads to nothing which will do."""
    return NotFound(problem, errors=[FieldError(place, problem, "Send an id that the API gave.")])


class MethodNotAllowed(Problem):
    status, code, title = 405, "method_not_allowed", "This address does not take this method"


class Conflict(Problem):
    status, code, title = 409, "conflict", "It conflicts with what is there"


class ConflictingEvent(Problem):
    status, code, title = 409, "conflicting_event", "The same key came with another meaning"


class KeyInUse(Problem):
    status, code, title = 409, "idempotency_key_in_use", "The key's first request is still running"


class AnswerErased(Problem):
    status, code, title = 409, "idempotency_answer_erased", "It was done; its answer was erased"


class KeyReused(Problem):
    status, code, title = 422, "idempotency_key_reused", "The key came before with another request"


class CodeTaken(Problem):
    status, code, title = 409, "code_taken", "The code is taken"


class CodeAmbiguous(Problem):
    status, code, title = 422, "code_ambiguous", "More than one link has the code"


class DealConflict(Problem):
    status, code, title = 409, "deal_conflict", "Somebody came first"


class ClaimExists(Problem):
    status, code, title = 409, "claim_exists", "The partner's earlier claim is still open"


class ClaimTooLate(Problem):
    status, code, title = 409, "claim_too_late", "The time for claims is over"


class DomainNotVerified(Problem):
    status, code, title = 409, "domain_not_verified", "The host does not show the challenge"


class DestinationNotAllowed(Problem):
    status, code, title = 422, "destination_not_allowed", "The program does not allow this host"


class RowsRefused(Problem):
    status, code, title = 422, "rows_refused", "Some rows can't be made, so none was"
    max_errors = 1_000


def all_or_none(outcomes: Sequence[Made | Problem], what: str) -> list[Made]:
    """What was made of each row; RowsRefused, with all there is to say, if any has a problem.

    what: `links`.
    """
    refused = [one for one in outcomes if isinstance(one, Problem)]
    if refused:
        raise RowsRefused(
            f"{len(refused)} of {len(outcomes)} {what} can't be made, so none was.",
            errors=[error for problem in refused for error in problem.errors],
        )
    return [one for one in outcomes if not isinstance(one, Problem)]


class PlanInvalid(Problem):
    status, code, title = 422, "plan_invalid", "The plan has errors"


class LinkEnded(Problem):
    status, code, title = 410, "link_ended", "The link is expired or archived"


class RateLimited(Problem):
    status, code, title = 429, "rate_limited", "Too many requests with this key; try again shortly"


class RequestTimeout(Problem):
    status, code, title = 408, "request_timeout", "The body took too long to arrive"


class Unavailable(Problem):
    status, code, title = 503, "unavailable", "Not ready; try again shortly"


class LaneBusy(Problem):
    status, code, title = 503, "busy", "Too much at once in this workspace; try again shortly"
