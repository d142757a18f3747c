"""What our tests take for Paddle's is Paddle's: its own library reads it and knows our types."""

import pytest
from paddle_billing.Entities.Events import EventTypeName
from paddle_billing.Notifications.Entities.Address import Address
from paddle_billing.Notifications.Entities.Adjustment import Adjustment
from paddle_billing.Notifications.Entities.Customer import Customer
from paddle_billing.Notifications.Entities.Subscription import Subscription
from paddle_billing.Notifications.Entities.Transaction import Transaction

from app.conversions.providers import paddle
from tests.contract import paddle_objects as objects
from tests.contract.paddle_objects import NOW, Json


@pytest.mark.parametrize(
    ("entity", "thing"),
    [
        (Transaction, objects.transaction(discount="dsc_1", custom_data={"click_id": "x"})),
        (Transaction, objects.transaction(total=0, tax=0, subscription=None)),
        (Adjustment, objects.adjustment(action="chargeback_reverse")),
        (Customer, objects.customer()),
        (Address, objects.address()),
        (Subscription, objects.subscription(status="trialing", discount="dsc_1")),
        (Subscription, objects.subscription(status="canceled", canceled_at=NOW)),
    ],
)
def test_paddle_s_library_reads_what_we_make(entity: type, thing: Json) -> None:
    assert entity.from_dict(thing).id == thing["id"]  # type: ignore[attr-defined] # untyped library


def test_every_type_that_we_ask_for_is_one_of_paddle_s() -> None:
    known = {str(getattr(EventTypeName, name)) for name in dir(EventTypeName) if name[0] != "_"}
    assert set(paddle.EVENT_TYPES) <= known
    assert "transaction.completed" in known
