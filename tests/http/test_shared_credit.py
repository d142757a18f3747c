"""Several partners brought one customer: what each is credited, paid, and given back."""

from app.db.engine import Database
from tests.http.bringing import codes, pending, tell
from tests.http.client import PLAN, Api, click_on, make_partner
from tests.http.selling import open_selling, verified


async def test_partners_share_a_sale_its_refund_and_what_follows(
    api: Api, database: Database
) -> None:
    linear = {"model": "linear", "window_days": 60, "min_share_bps": 1_000}
    selling = await open_selling(api, database, plan={**PLAN, "attribution": linear})
    bo = await make_partner(api, selling.program, name="Bo")
    cy = await make_partner(api, selling.program, name="Cy")
    partners = (selling.partner, bo, cy)
    clicks = [click_on(partner["default_link"], api.app) for partner in partners]
    sold = await tell(selling, "sale", **selling.sale(amount=100_01), click_ids=clicks)
    # 20 % of 100.01 is 20.00.
    assert sorted(c["amount"] for c in sold["commissions"]) == [6_66, 6_67, 6_67]
    conversion = await api.get(f"/conversions/{sold['conversion_id']}")
    assert sorted(c["bps"] for c in conversion["credits"]) == [3_333, 3_333, 3_334]
    assert codes(sold).count("attributed") == 3
    again = await tell(selling, "sale", **selling.sale(invoice_id="INV-2", amount=50_00))
    assert codes(again)[:3] == ["bound"] * 3
    assert sum(c["amount"] for c in again["commissions"]) == 10_00
    await tell(selling, "refund", invoice_id="INV-1", amount_refunded=100_01, currency="usd")
    assert sum([await pending(selling, partner) for partner in partners]) == 10_00
    left = {"program_id": selling.program["id"], "status": "suspended"}
    await api.patch(f"/partners/{bo['id']}", {"enrollments": [left]})
    later = await tell(selling, "sale", **selling.sale(invoice_id="INV-3", amount=50_00))
    assert sorted(c["amount"] for c in later["commissions"]) == [5_00, 5_00]
    assert {c["partner_id"] for c in later["commissions"]} == {selling.partner["id"], cy["id"]}
    assert "not_enrolled" in codes(later)
    await verified(selling)
