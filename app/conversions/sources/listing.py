"""Providers' own lists of events, page by page, newest first.

Whom to ask is a setting of the installation and never a caller's word; no redirect is followed.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

import httpx

from app.settings import Settings

PAGE: Final = 100
_TIMEOUT_S: Final = 20.0
_MAX_BYTES: Final = 40_000_000
"""Of a page: a hundred events are 1 MB mostly; a webhook is 2 MB at most."""
_KEY_ALPHABET: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


class ListingError(Exception):
    """The provider gave no page. Its text may be shown. retry_after_s: what it asked for."""

    def __init__(self, problem: str, *, retry_after_s: int = 0, refused: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.retry_after_s = retry_after_s
        self.refused = refused
        """It won't help to ask again with the same key."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One event of a list: its id and type, and a body as a webhook would have brought it."""

    id: str
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ListPage:
    """after: the id to go on behind; empty on the last page."""

    events: tuple[Listed, ...]
    after: str


class Fetch(Protocol):
    """A page of what was created in a span, both ends included; ListingError."""

    async def __call__(
        self, settings: Settings, key: str, *, since: datetime, until: datetime, after: str
    ) -> ListPage: ...


@dataclass(frozen=True, slots=True)
class EventList:
    """A provider that lists its events. key_form: what a key looks like, told to whoever asks."""

    fetch: Fetch
    is_key: Callable[[str], bool]
    key_form: str


async def stripe_page(
    settings: Settings, key: str, *, since: datetime, until: datetime, after: str
) -> ListPage:
    """`GET /v1/events`. Stripe keeps events for 30 days."""
    params: dict[str, str | int] = {
        "limit": PAGE,
        "created[gte]": int(since.timestamp()),
        "created[lte]": int(until.timestamp()),
    }
    if after:
        params["starting_after"] = after
    answer = await _get(f"{settings.stripe_api.rstrip('/')}/v1/events", key, params)
    data = answer.get("data")
    if not isinstance(data, list):
        raise ListingError("It answered with something else than a list of events.")
    events = tuple(_listed(one) for one in data)
    more = answer.get("has_more") is True and events
    return ListPage(events, events[-1].id if more else "")


def _listed(one: object) -> Listed:
    match one:
        case {"id": str(name), "type": str(kind)}:
            # Not orjson: an integer over 64 bits has to stay what it is.
            body = json.dumps(one, ensure_ascii=False, separators=(",", ":"))
            return Listed(name, kind, body.encode("utf-8", "surrogatepass"))
        case _:
            raise ListingError("It listed something that is no event.")


async def _get(url: str, key: str, params: Mapping[str, str | int]) -> dict[str, Any]:
    body = bytearray()
    try:
        async with (
            httpx.AsyncClient(
                trust_env=False, follow_redirects=False, timeout=_TIMEOUT_S
            ) as client,
            client.stream(
                "GET",
                url,
                params=params,
                headers={"Authorization": f"Bearer {key}", "User-Agent": "Finderfee"},
            ) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise _refusal(response)
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ListingError("Its page is over the limit.")
        parsed = json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise ListingError("It did not answer.") from error
    except (ValueError, RecursionError) as error:
        raise ListingError("It did not answer with JSON.") from error
    if not isinstance(parsed, dict):
        raise ListingError("It did not answer with a JSON object.")
    return parsed


def _refusal(response: httpx.Response) -> ListingError:
    status = response.status_code
    wait = response.headers.get("retry-after", "")
    return ListingError(
        f"It answered with status {status}.",
        retry_after_s=int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 5 else 0,
        refused=status in {400, 401, 403, 404},
    )


def _is_stripe_key(key: str) -> bool:
    return key.startswith(("rk_", "sk_")) and set(key) <= _KEY_ALPHABET


LISTS: Final[Mapping[str, EventList]] = MappingProxyType(
    {
        "stripe": EventList(
            fetch=stripe_page,
            is_key=_is_stripe_key,
            key_form="a restricted key that may read events, `rk_live_…`",
        )
    }
)
"""By the provider's name; the others' events can't be listed."""
