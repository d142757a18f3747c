"""A binding with a term, from the plan to the sale after its end."""

from app.db.engine import Database
from tests.http.bringing import ago, code_of, codes, tell
from tests.http.client import PLAN, Api, make_partner
from tests.http.selling import open_selling, verified


async def test_after_its_term_a_customer_is_somebody_else_s(api: Api, database: Database) -> None:
    binding = {"months": 1, "ends": ["suspended"]}
    selling = await open_selling(api, database, plan={**PLAN, "binding": binding})
    assert selling.program["plan"]["binding"] == binding
    bo = await make_partner(api, selling.program, name="Bo")
    await code_of(selling, selling.partner, "ANA")
    await code_of(selling, bo, "BOB")
    first = await tell(selling, "sale", **selling.sale(code="ana", occurred_at=ago(days=33)))
    within = selling.sale(invoice_id="INV-2", code="bob", occurred_at=ago(days=32))
    assert codes(await tell(selling, "sale", **within))[0] == "bound"
    customer = f"/customers/{first['commissions'][0]['customer_id']}"
    assert (await api.get(customer))["binding"]["credits"][0]["partner_id"] == (
        selling.partner["id"]
    )
    after = await tell(selling, "sale", **selling.sale(invoice_id="INV-3", code="bob"))
    assert [c["partner_id"] for c in after["commissions"]] == [bo["id"]]
    assert codes(after)[0] == "binding_ended"
    assert "(term), so touches competed anew." in after["reasons"][0]["text"]
    assert (await api.get(customer))["binding"]["credits"][0]["partner_id"] == bo["id"]
    again = await tell(selling, "sale", **selling.sale(invoice_id="INV-4"))
    assert "bound" in codes(again)
    await verified(selling)
