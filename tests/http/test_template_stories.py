"""A whole story of each template that asks nothing of its partners, every step to the cent."""

from datetime import UTC, datetime

import pytest

from app.db.engine import Database
from app.ids import decode
from app.ledger import mature
from tests.http.client import Api
from tests.http.templating import Story, reasons


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, 12, tzinfo=UTC)


async def test_invited_partners_keep_whom_they_introduced_first(
    api: Api, database: Database
) -> None:
    async def cast(it: Story) -> None:
        await it.partner("Ana")
        await it.partner("Bo")

    it = await Story(api, database, "invite-only", cast).begin()
    words = await it.words()
    assert words[0].startswith(
        "You earn 30 % of each sale (renewals of subscriptions too), for the"
    )
    assert (
        "A new customer is credited to the partner who brought them first. It counts for 120 days."
        in words
    )
    assert "A customer stays with whoever was credited, for good." in words

    # 1,000.00 × 30 %, to Ana, whose link was clicked 21 days before, not to Bo.
    acme = {"subscription_id": "s-acme"}
    await it.sale("A-1", "acme", 1_000_00, day(2024, 1, 31), {"Ana": 21, "Bo": 11}, **acme)
    assert await it.has() == {"Ana": {"usd": 300_00}}
    # A month later is the end of February, of a leap year; still the first year.
    await it.sale("A-2", "acme", 1_000_00, day(2024, 2, 29), **acme)
    assert await it.has() == {"Ana": {"usd": 600_00}}
    await it.sale("A-3", "acme", 1_000_00, day(2025, 1, 30), **acme)
    assert await it.has() == {"Ana": {"usd": 900_00}}
    # Twelve months are over: 1,000.00 × 20 %.
    told = await it.sale("A-4", "acme", 1_000_00, day(2025, 1, 31), **acme)
    assert {"months_over", "rule_paid"} <= reasons(told)
    assert await it.has() == {"Ana": {"usd": 1_100_00}}
    # 49.99 × 30 % = 14.997.
    await it.sale("B-1", "bolt", 49_99, day(2025, 2, 1), "Bo")
    assert await it.has() == {"Ana": {"usd": 1_100_00}, "Bo": {"usd": 15_00}}
    # Bo's link, clicked by a customer who is Ana's: 100.00 × 20 % are Ana's.
    await it.sale("A-5", "acme", 100_00, day(2025, 3, 1), "Bo", **acme)
    assert await it.has() == {"Ana": {"usd": 1_120_00}, "Bo": {"usd": 15_00}}
    # A third of the third bill goes back: 300.00 × 333.33 / 1,000.00 = 99.999.
    await it.refund("A-3", 333_33, day(2025, 3, 2))
    assert await it.has() == {"Ana": {"usd": 1_020_00}, "Bo": {"usd": 15_00}}
    # All of Bo's.
    await it.refund("B-1", 49_99, day(2025, 3, 3))
    assert await it.has() == {"Ana": {"usd": 1_020_00}}
    await it.proved()
    await it.ends_so_in_any_order()


async def test_both_sides_are_credited_for_twelve_friends_a_year(
    api: Api, database: Database
) -> None:
    async def cast(it: Story) -> None:
        await it.partner("Ana")

    it = await Story(api, database, "double-sided-capped", cast).begin()
    assert (await it.words())[:2] == [
        (
            "You get 25.00 USD as credit for each sale (not a renewal) worth 25.00 USD or more"
            " without tax, if it is the customer's first, at most for 12 sales in all in a calendar"
            " year."
        ),
        (
            "The customer gets 25.00 USD as credit for each sale (not a renewal), if it is the"
            " customer's first, at most 100 % of what is paid for one sale."
        ),
    ]
    full, part = {"credit usd": 25_00}, {"credit usd": 10_00}
    friends = {}
    await it.sale("F-1", "f1", 100_00, day(2024, 1, 5), "Ana")
    friends["f1"] = full
    assert await it.has() == {"Ana": full, **friends}
    # A bill of 10.00: all of it for the friend, nothing for Ana, who wants 25.00.
    told = await it.sale("F-2", "f2", 10_00, day(2024, 1, 6), "Ana")
    assert {"below_minimum", "cap_applied"} <= reasons(told)
    friends["f2"] = part
    assert await it.has() == {"Ana": full, **friends}
    # A second bill of a friend is nobody's reward.
    await it.sale("F-1b", "f1", 100_00, day(2024, 1, 7))
    assert await it.has() == {"Ana": full, **friends}
    # Eleven more: 12 × 25.00.
    for n in range(3, 14):
        await it.sale(f"F-{n}", f"f{n}", 25_00, day(2024, 2, n), "Ana")
        friends[f"f{n}"] = full
        assert await it.has() == {"Ana": {"credit usd": (n - 1) * 25_00}, **friends}
    # The thirteenth: the friend alone.
    told = await it.sale("F-14", "f14", 80_00, day(2024, 3, 1), "Ana")
    assert "cap_count_reached" in reasons(told)
    friends["f14"] = full
    assert await it.has() == {"Ana": {"credit usd": 300_00}, **friends}
    # The first one is returned whole, and makes room for one more.
    await it.refund("F-1", 100_00, day(2024, 3, 2))
    del friends["f1"]
    assert await it.has() == {"Ana": {"credit usd": 275_00}, **friends}
    await it.sale("F-15", "f15", 80_00, day(2024, 3, 3), "Ana")
    friends["f15"] = full
    assert await it.has() == {"Ana": {"credit usd": 300_00}, **friends}
    # Half of one goes back, of both sides; it still counts, so there is no room.
    await it.refund("F-4", 12_50, day(2024, 3, 4))
    friends["f4"] = {"credit usd": 12_50}
    assert await it.has() == {"Ana": {"credit usd": 287_50}, **friends}
    await it.sale("F-16", "f16", 80_00, day(2024, 3, 5), "Ana")
    friends["f16"] = full
    assert await it.has() == {"Ana": {"credit usd": 287_50}, **friends}
    # Another year, another twelve.
    await it.sale("F-17", "f17", 80_00, day(2025, 1, 1), "Ana")
    friends["f17"] = full
    assert await it.has() == {"Ana": {"credit usd": 312_50}, **friends}
    await it.proved()


async def test_sellers_and_their_recruiters_can_be_paid_a_day_later(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mature, "GRACE_S", 0)

    async def cast(it: Story) -> None:
        cy = await it.partner("Cy")
        bo = await it.partner("Bo", recruited_by=cy["id"])
        await it.partner("Ana", recruited_by=bo["id"])

    it = await Story(api, database, "two-level-info-product", cast).begin()
    words = await it.words()
    assert words[:2] == [
        "You earn 40 % of each sale (renewals of subscriptions too).",
        (
            "Whoever recruited you earns 10 % of what you earn on each sale (renewals of"
            " subscriptions too)."
        ),
    ]
    assert "What you earn is pending for 1 day after the sale, then it can be paid out." in words
    ago = -86_400.0
    # 99.00 × 40 %; Bo has 10 % of that, and Cy, who recruited Bo, nothing.
    await it.sale("C-1", "a", 99_00, 2 * ago, "Ana")
    assert await it.has() == {"Ana": {"usd": 39_60}, "Bo": {"usd": 3_96}}
    # 49.00 × 40 % = 19.60 for Bo, 10 % of that for Cy.
    await it.sale("C-2", "b", 49_00, 1.5 * ago, "Bo")
    assert await it.has() == {"Ana": {"usd": 39_60}, "Bo": {"usd": 23_56}, "Cy": {"usd": 1_96}}
    # 29.90 × 40 % = 11.96 and 10 % of that = 1.196; this one is of today.
    await it.sale("C-3", "c", 29_90, 0, "Ana")
    assert await it.has("pending", "payable") == {
        "Ana": {"usd": 51_56}, "Bo": {"usd": 24_76}, "Cy": {"usd": 1_96},
    }  # fmt: skip
    (workspace,) = (await it.api.get("/workspaces"))["data"]
    await mature.mature_workspace(database, decode("ws", workspace["id"]))
    assert await it.has("payable") == {
        "Ana": {"usd": 39_60}, "Bo": {"usd": 23_56}, "Cy": {"usd": 1_96},
    }  # fmt: skip
    assert await it.has("pending") == {"Ana": {"usd": 11_96}, "Bo": {"usd": 1_20}}
    # Half of today's goes back: 5.98 and 0.60; and the whole first one, which was due already.
    await it.refund("C-3", 14_95, 0.1)
    assert await it.has("pending") == {"Ana": {"usd": 5_98}, "Bo": {"usd": 60}}
    await it.refund("C-1", 99_00, 0.2)
    assert await it.has("payable") == {"Bo": {"usd": 19_60}, "Cy": {"usd": 1_96}}
    # A second purchase within the year follows the customer: 10.01 × 40 % = 4.004; 0.40.
    await it.sale("C-4", "c", 10_01, 0.3)
    assert await it.has("pending") == {"Ana": {"usd": 9_98}, "Bo": {"usd": 1_00}}
    await it.proved()
    await it.ends_so_in_any_order()
    # A suspended recruiter has nothing of what is sold meanwhile.
    place = {"program_id": it.programs[0]["id"], "status": "suspended"}
    await it.api.patch(f"/partners/{it.partners['Bo']['id']}", {"enrollments": [place]})
    told = await it.sale("C-5", "d", 10_00, None, "Ana")
    assert "recruiter_suspended" in reasons(told)
    assert await it.has("pending") == {"Ana": {"usd": 13_98}, "Bo": {"usd": 1_00}}
    await it.proved()


async def test_readers_get_gifts_for_3_10_and_25_subscribers(api: Api, database: Database) -> None:
    async def cast(it: Story) -> None:
        await it.partner("Rea")
        await it.partner("Bo")

    it = await Story(api, database, "newsletter-referral", cast).begin()
    assert (await it.words())[:3] == [
        "You get the gift “stickers” for each lead, if by it your leads reach 3.",
        "You get the gift “mug” for each lead, if by it your leads reach 10.",
        "You get the gift “hoodie” for each lead, if by it your leads reach 25.",
    ]
    earned: dict[str, int] = {}
    for n in range(1, 27):
        told = await it.lead(f"reader-{n}", day(2025, 5, n), "Rea")
        # What is told twice is one subscriber; another reader's is not Rea's.
        if n in {2, 3}:
            assert await it.lead(f"reader-{n}", day(2025, 5, n), "Rea") == told
            await it.lead(f"other-{n}", day(2025, 5, n), "Bo")
        if item := {3: "stickers", 10: "mug", 25: "hoodie"}.get(n):
            earned[f"gift {item}"] = 1
            (gift,) = told["commissions"]
            cost = {"stickers": 3_00, "mug": 12_00, "hoodie": 45_00}[item]
            assert (gift["rule"], gift["cost"]) == (item, {"amount": cost, "currency": "usd"})
        else:
            assert {"not_reached", "no_rule_matched"} <= reasons(told)
        assert await it.has() == ({"Rea": earned} if earned else {})
    # A paid edition earns nothing by these terms.
    await it.sale("P-1", "reader-1", 50_00, day(2025, 6, 1))
    assert await it.has() == {"Rea": earned}
    path = f"/partners/{it.partners['Rea']['id']}/totals?program_id={it.programs[0]['id']}"
    (ever,) = (await it.api.get(path))["periods"]
    assert (ever["within"], ever["leads"], ever["sales"]) == ("life", 26, 0)
    await it.proved()
