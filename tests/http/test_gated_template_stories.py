"""A whole story of each template by which partners earn only as what they are, to the cent.

What they are holds from now on at the earliest, so what happens happens now, or in a second.
"""

from datetime import timedelta

from app.conversions.deal_links import tell_deals
from app.db.engine import Database
from tests.http.client import Api
from tests.http.templating import Story, reasons

DAY = 86_400.0
LATER = 1.5
"""Seconds after the start at which something begins or ends."""


async def test_agencies_earn_by_their_tier_and_for_a_quarter_s_revenue(
    api: Api, database: Database
) -> None:
    async def cast(it: Story) -> None:
        for name in ("Ana", "Bo", "Cy"):
            await it.partner(name)
        await it.qualify("Ana", tier="gold", agreement="2026-01")
        await it.qualify("Bo", agreement="2026-01")

    it = await Story(api, database, "agency-solutions", cast).begin()
    words = await it.words()
    assert words[3] == (
        "You earn 500.00 USD for each sale (renewals of subscriptions too), if by it your revenue"
        " reaches 10000.00 USD within a calendar quarter. This comes on top of the other rules."
    )
    assert "You earn only once you have accepted the agreement." in words
    assert "That ends earlier if you leave the program or are suspended." in words
    acme, bolt, dust = ({"subscription_id": f"s-{name}"} for name in ("acme", "bolt", "dust"))
    # Gold: 1,000.00 × 25 %, twice.
    await it.sale("A-1", "acme", 1_000_00, None, "Ana", **acme)
    assert await it.has() == {"Ana": {"usd": 250_00}}
    await it.sale("A-2", "acme", 1_000_00, None, **acme)
    assert await it.has() == {"Ana": {"usd": 500_00}}
    # No tier: 2,000.00 × 15 %.
    await it.sale("B-1", "bolt", 2_000_00, None, "Bo", **bolt)
    assert await it.has() == {"Ana": {"usd": 500_00}, "Bo": {"usd": 300_00}}
    # Cy has not accepted the agreement.
    told = await it.sale("C-1", "corp", 500_00, None, "Cy")
    assert "gate_agreement" in reasons(told)
    assert await it.has() == {"Ana": {"usd": 500_00}, "Bo": {"usd": 300_00}}
    # Silver from then on: 2,000.00 × 20 %.
    await it.qualify("Bo", tier="silver", agreement="2026-01")
    await it.sale("B-2", "bolt", 2_000_00, None, **bolt)
    assert await it.has() == {"Ana": {"usd": 500_00}, "Bo": {"usd": 700_00}}
    # A client of 25 months: nothing of its first bill, before the agreement, nor of the next one.
    await it.sale("D-1", "dust", 300_00, -25 * 31 * DAY, "Ana", **dust)
    told = await it.sale("D-2", "dust", 300_00, None, **dust)
    assert "months_over" in reasons(told)
    assert await it.has() == {"Ana": {"usd": 500_00}, "Bo": {"usd": 700_00}}
    # 1,000 + 1,000 + 300 + 7,700 are 10,000.00 in this quarter: 1,925.00, and 500.00 on top.
    await it.sale("A-3", "acme", 7_700_00, None, **acme)
    assert await it.has() == {"Ana": {"usd": 2_925_00}, "Bo": {"usd": 700_00}}
    told = await it.sale("A-4", "acme", 100_00, None, **acme)
    assert "not_reached" in reasons(told)
    assert await it.has() == {"Ana": {"usd": 2_950_00}, "Bo": {"usd": 700_00}}
    # Half of the large bill goes back: 962.50 and 250.00.
    await it.refund("A-3", 3_850_00, None)
    assert await it.has() == {"Ana": {"usd": 1_737_50}, "Bo": {"usd": 700_00}}
    # A code, without a click: 100.00 × 25 %.
    whose = {"program_id": it.programs[0]["id"], "partner_id": it.partners["Ana"]["id"]}
    await it.api.post("/codes", {**whose, "code": "ANA-AGENCY"})
    await it.sale("E-1", "else", 100_00, None, code="ana-agency")
    assert await it.has() == {"Ana": {"usd": 1_762_50}, "Bo": {"usd": 700_00}}
    # The membership fee was not paid: suspended, and its client is its own no more.
    place = {"program_id": it.programs[0]["id"], "status": "suspended"}
    await it.api.patch(f"/partners/{it.partners['Ana']['id']}", {"enrollments": [place]})
    await it.sale("A-5", "acme", 1_000_00, None, **acme)
    assert await it.has() == {"Ana": {"usd": 1_762_50}, "Bo": {"usd": 700_00}}
    await it.proved()


async def one_certificate_ends(it: Story) -> None:
    """Ana's, later; Bo has none, and Uma needs none."""
    await it.partner("Ana")
    await it.partner("Bo")
    await it.partner("Uma", program=1)
    await it.qualify("Ana", certified=True)
    ends = (it.starts_now() + timedelta(seconds=LATER)).isoformat()
    await it.qualify("Ana", certified=True, certified_until=ends)


async def test_who_is_certified_earns_and_users_share_links(api: Api, database: Database) -> None:
    it = await Story(api, database, "certified-partners", one_certificate_ends).begin()
    assert [program["name"] for program in it.programs] == [
        "Acme: Certified partners", "Acme: Users",
    ]  # fmt: skip
    assert "You earn only while you hold a valid certificate." in await it.words()
    assert (await it.words(1))[:2] == [
        (
            "The customer gets 10 % as a discount of each sale (not a renewal), if it is the"
            " customer's first, at most 50.00 USD for one sale."
        ),
        (
            "You get 10 % as credit of each sale (not a renewal), if it is the customer's first, at"
            " most 50.00 USD for one sale."
        ),
    ]
    firm = {"subscription_id": "s-firm"}
    # 600.00 × 20 %, and 100.00 for a first sale of 500.00 or more.
    await it.sale("F-1", "firm", 600_00, 0.01, "Ana", **firm)
    ana = {"Ana": {"usd": 220_00}}
    assert await it.has() == ana
    await it.sale("F-2", "firm", 600_00, 0.02, **firm)
    ana = {"Ana": {"usd": 340_00}}
    assert await it.has() == ana
    # Bo has no certificate.
    told = await it.sale("B-1", "bolt", 600_00, 0.03, "Bo")
    assert "gate_certified" in reasons(told)
    assert await it.has() == ana
    # A user's link: 10 % of 30.00 for both.
    await it.sale("U-1", "fay", 30_00, 0.04, "Uma")
    fay = {"fay": {"discount usd": 3_00}}
    assert await it.has() == {**ana, "Uma": {"credit usd": 3_00}, **fay}
    # 10 % of 800.00 are 80.00, of which 50.00 are paid to either.
    await it.sale("U-2", "gil", 800_00, 0.05, "Uma")
    gil = {"gil": {"discount usd": 50_00}}
    assert await it.has() == {**ana, "Uma": {"credit usd": 53_00}, **fay, **gil}
    # Uma's link was clicked first, then Ana's: 100.00 × 20 %, too little for a welcome.
    await it.sale("F-3", "hal", 100_00, 0.06, {"Uma": 2, "Ana": 1})
    ana = {"Ana": {"usd": 360_00}}
    assert await it.has() == {**ana, "Uma": {"credit usd": 53_00}, **fay, **gil}
    # Only the first bill is thanked for.
    await it.sale("U-3", "fay", 30_00, 0.07)
    assert await it.has() == {**ana, "Uma": {"credit usd": 53_00}, **fay, **gil}
    # Ana's certificate has run out; the customer stays Ana's.
    told = await it.sale("F-4", "firm", 600_00, LATER + 0.1, **firm)
    assert "gate_certified" in reasons(told)
    assert await it.has() == {**ana, "Uma": {"credit usd": 53_00}, **fay, **gil}
    # Half of 800.00 goes back, and half of each 50.00.
    await it.refund("U-2", 400_00, 0.08)
    gil = {"gil": {"discount usd": 25_00}}
    assert await it.has() == {**ana, "Uma": {"credit usd": 28_00}, **fay, **gil}
    # All of firm's first bill: 120.00 and 100.00.
    await it.refund("F-1", 600_00, 0.09)
    ana = {"Ana": {"usd": 140_00}}
    assert await it.has() == {**ana, "Uma": {"credit usd": 28_00}, **fay, **gil}
    await it.proved()
    await it.ends_so_in_any_order(orders=1)


async def test_integrators_earn_by_the_ecosystem_that_they_work_in(
    api: Api, database: Database
) -> None:
    async def cast(it: Story) -> None:
        agreements = {"Sal": "salesforce", "Hub": "hubspot", "Pip": "pipedrive", "Oda": "odoo"}
        for name, agreement in agreements.items():
            await it.partner(name)
            await it.qualify(name, agreement=agreement)
        it.starts_now()
        await it.qualify("Hub", agreement="salesforce", since=LATER)
        whose = {"program_id": it.programs[0]["id"], "partner_id": it.partners["Pip"]["id"]}
        await it.api.post("/codes", {**whose, "code": "PIP"})

    it = await Story(api, database, "integrator-segments", cast).begin()
    words = await it.words()
    assert words[1].startswith(
        "You earn 20 % of each sale (renewals of subscriptions too), if the agreement that you"
        " accepted is `hubspot`, for the first 12 calendar months"
    )
    assert words[3].startswith("You earn 10 % of each sale (renewals of subscriptions too), for")
    hubs = {"subscription_id": "s-hub"}
    # 2,000.00 × 15 %, and 200.00 for a first sale of 1,000.00 or more.
    await it.sale("S-1", "sun", 2_000_00, 0.01, "Sal")
    assert await it.has() == {"Sal": {"usd": 500_00}}
    # 999.99 × 20 % = 199.998; a cent too little for more.
    await it.sale("H-1", "hill", 999_99, 0.02, "Hub", **hubs)
    assert await it.has() == {"Sal": {"usd": 500_00}, "Hub": {"usd": 200_00}}
    # 80.00 × 25 %; 500.00 × 10 % in an ecosystem without a rule of its own.
    await it.sale("P-1", "pine", 80_00, 0.03, "Pip")
    await it.sale("O-1", "oak", 500_00, 0.04, "Oda")
    rest = {"Pip": {"usd": 20_00}, "Oda": {"usd": 50_00}}
    assert await it.has() == {"Sal": {"usd": 500_00}, "Hub": {"usd": 200_00}, **rest}
    # Pip's code goes before Sal's click: 40.00 × 25 %.
    await it.sale("P-2", "palm", 40_00, 0.05, "Sal", code="pip")
    rest["Pip"] = {"usd": 30_00}
    assert await it.has() == {"Sal": {"usd": 500_00}, "Hub": {"usd": 200_00}, **rest}
    # Hub has moved to another ecosystem: 999.99 × 15 % = 149.9985.
    await it.sale("H-2", "hill", 999_99, LATER + 0.1, **hubs)
    assert await it.has() == {"Sal": {"usd": 500_00}, "Hub": {"usd": 350_00}, **rest}
    # A quarter goes back: 75.00 and 50.00.
    await it.refund("S-1", 500_00, LATER + 0.2)
    assert await it.has() == {"Sal": {"usd": 375_00}, "Hub": {"usd": 350_00}, **rest}
    await it.proved()
    await it.ends_so_in_any_order(orders=1)


async def test_referral_partners_are_paid_by_what_each_of_them_signed(
    api: Api, database: Database
) -> None:
    async def cast(it: Story) -> None:
        for name in ("Ana", "Bo", "Cy"):
            await it.partner(name)
        await it.qualify("Ana", agreement="standard-1")
        await it.qualify("Bo", agreement="own-7")

    it = await Story(api, database, "referral-partners", cast).begin()
    program = it.programs[0]["id"]
    words = await it.words()
    assert words[0].startswith("You earn 10 % of each sale (renewals of subscriptions too), for")
    assert "A registered lead counts for 180 days." in words
    # Bo's own agreement, as the template drafts it.
    (drafted,) = (await it.api.get("/templates/referral-partners?currency=usd"))["programs"]
    own = {"partner_id": it.partners["Bo"]["id"], "plan": drafted["agreement"]}
    draft = await it.api.post(f"/programs/{program}/plans", own)
    await it.api.post(f"/plans/{draft['id']}/publish", {}, status=200)

    # Ana introduced acme and never sent a link: 10,000.00 × 10 %.
    whose = {"program_id": program, "partner_id": it.partners["Ana"]["id"]}
    deal = await it.api.post("/deals", {**whose, "company": "Acme GmbH"})
    await it.api.post(f"/deals/{deal['id']}/accept", {}, status=200)
    won = {"customer_external_id": "acme"}
    await it.api.post(f"/deals/{deal['id']}/win", won, status=200)
    await tell_deals(database)
    await it.settle()
    await it.sale("A-1", "acme", 10_000_00, None)
    assert await it.has() == {"Ana": {"usd": 1_000_00}}
    # Bo by its own terms: 40,000.00 × 20 %.
    told = await it.sale("B-1", "bolt", 40_000_00, None, "Bo")
    assert "agreement_pays" in reasons(told)
    assert await it.has() == {"Ana": {"usd": 1_000_00}, "Bo": {"usd": 8_000_00}}
    # 10,000.00 × 20 %, and 2,500.00 as the year comes to 50,000.00.
    await it.sale("B-2", "bill", 10_000_00, None, "Bo")
    assert await it.has() == {"Ana": {"usd": 1_000_00}, "Bo": {"usd": 12_500_00}}
    # Cy has signed nothing.
    told = await it.sale("C-1", "corp", 1_000_00, None, "Cy")
    assert "gate_agreement" in reasons(told)
    assert await it.has() == {"Ana": {"usd": 1_000_00}, "Bo": {"usd": 12_500_00}}
    # Half of the second one goes back: 1,000.00 and 1,250.00.
    await it.refund("B-2", 5_000_00, None)
    assert await it.has() == {"Ana": {"usd": 1_000_00}, "Bo": {"usd": 10_250_00}}
    # Bo's agreement ends, and the program's terms hold for it: 1,000.00 × 10 %.
    await it.api.post(f"/plans/{draft['id']}/end", {}, status=200)
    told = await it.sale("B-3", "bolt", 1_000_00, None)
    assert "agreement_pays" not in reasons(told)
    assert await it.has() == {"Ana": {"usd": 1_000_00}, "Bo": {"usd": 10_350_00}}
    await it.proved()
