"""Whatever a provider signs, documented or not: never a crash, and nothing that can't be stored."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.conversions.providers import chargebee, paddle, stripe
from app.conversions.providers.mapping import Mapped, Meaning
from app.conversions.providers.registry import PROVIDERS
from tests.contract import (
    paddle_objects,
    shopify_objects,
    standard_objects,
    stripe_reading,
    test_chargebee_refusals,
    test_paddle_refusals,
    test_shopify_refusals,
    test_standard_mapping,
    test_stripe_refusals,
)
from tests.contract.oddities import JUNK, MISSING, ODD, Json, changed, places, sound


@dataclass(frozen=True)
class Sample:
    """A message that says something, and who reads it, at which time."""

    payload: Json
    read: Callable[[bytes], Meaning]
    now: datetime


def of_body(
    payloads: Sequence[Json], read: Callable[..., Meaning], now: datetime, *, live: bool = True
) -> list[Sample]:
    """Of a provider whose bodies say everything."""
    return [Sample(one, partial(read, live=live, received_at=now), now) for one in payloads]


SAMPLES: Mapping[str, Sequence[Sample]] = {
    "stripe": of_body(test_stripe_refusals.SAMPLES, stripe.read, stripe_reading.NOW, live=False),
    "chargebee": of_body(
        test_chargebee_refusals.SAMPLES, chargebee.read, test_chargebee_refusals.NOW
    ),
    "paddle": of_body(test_paddle_refusals.SAMPLES, paddle.read, paddle_objects.NOW),
    "shopify": [
        Sample(payload, partial(shopify_objects.means, topic), shopify_objects.NOW)
        for topic, payload in test_shopify_refusals.SAMPLES
    ],
    "standard": [
        Sample(payload, standard_objects.means, standard_objects.NOW)
        for payload in test_standard_mapping.SAMPLES
    ],
}
ALL = [
    pytest.param(sample, id=f"{provider}-{n}")
    for provider, samples in SAMPLES.items()
    for n, sample in enumerate(samples)
]


def loosely(payload: Json) -> bytes:
    """As a sender in another language may write it, with NaN and infinite numbers."""
    return json.dumps(payload).encode()


def test_every_provider_has_samples() -> None:
    assert {name for name, samples in SAMPLES.items() if samples} == PROVIDERS.keys()


@pytest.mark.parametrize("sample", ALL)
def test_any_odd_value_anywhere_is_survived(sample: Sample) -> None:
    assert isinstance(sample.read(orjson.dumps(sample.payload)), Mapped)
    for path in places(sample.payload):
        for value in (MISSING, *ODD):
            spoiled = orjson.dumps(changed(sample.payload, path, value))
            assert sound(sample.read(spoiled), sample.now), (path, value)


@pytest.mark.parametrize("provider", SAMPLES)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_mutation_is_survived(provider: str, data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from(SAMPLES[provider]))
    payload = sample.payload
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(payload)) or [("id",)]))
        payload = changed(payload, path, data.draw(JUNK))
    written = data.draw(st.sampled_from((orjson.dumps, loosely)))
    assert sound(sample.read(written(payload)), sample.now)


@pytest.mark.parametrize("provider", SAMPLES)
@given(data=st.data(), body=st.binary(max_size=200) | JUNK.map(orjson.dumps))
@settings(deadline=None)
def test_any_bytes_are_survived(provider: str, data: st.DataObject, body: bytes) -> None:
    sample = data.draw(st.sampled_from(SAMPLES[provider]))
    assert sound(sample.read(body), sample.now)
