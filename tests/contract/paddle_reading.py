"""Reading a Paddle notification in one call, for the tests of what they mean."""

from app.conversions.providers import paddle
from app.conversions.providers.mapping import Mapped, Meaning
from tests.contract import paddle_objects as objects
from tests.contract.paddle_objects import NOW, Json


def means(payload: Json, *, live: bool = True, with_tax: bool = False) -> Meaning:
    body = objects.encoded(payload)
    return paddle.read(body, live=live, received_at=NOW, with_tax=with_tax)


def mapped(payload: Json, *, with_tax: bool = False) -> Mapped:
    meaning = means(payload, with_tax=with_tax)
    assert isinstance(meaning, Mapped), meaning
    return meaning
