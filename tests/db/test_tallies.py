"""Partners' totals in Postgres: caps over all customers, taken up in the order of decisions."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from app.conversions.proof.verify import verify
from app.conversions.providers.mapping import Alias
from app.core.plans import canonical, canonical_agreement, parse, parse_agreement
from app.db import tables as t
from app.db.engine import Database
from app.db.tx import Tx
from app.ids import uuid7
from tests.making import Shop, ago, lead, make_shop, plan, refund, sale

CAP: dict[str, Any] = {"per": "partner", "amount": {"amount": 10_000, "currency": "usd"}}
CAPPED = plan([{"id": "base", "pay": {"percent_bps": 5_000}, "cap": CAP}])


@pytest.fixture
async def shop(fresh_database: Database) -> Shop:
    return await make_shop(fresh_database, CAPPED)


async def bought(shop: Shop, customer: str, invoice: str, amount: int, **more: Any) -> None:
    click = shop.click("ana", ago(days=2))
    await shop.tell(sale(customer, invoice, amount, clicks=[click], **more))


async def earned(shop: Shop) -> dict[str, int]:
    rows = await shop.rows(
        "SELECT v.key, c.amount - c.reversed AS left FROM commissions c"
        " JOIN conversions v ON v.workspace_id = c.workspace_id AND v.id = c.conversion_id"
        " WHERE c.workspace_id = :workspace AND NOT c.superseded ORDER BY v.key"
    )
    return {row.key.rsplit(":", 1)[1]: row.left for row in rows}


async def totals(shop: Shop) -> dict[tuple[str, str], int]:
    rows = await shop.rows(
        "SELECT name, currency, total FROM tallies WHERE workspace_id=:workspace"
    )
    return {(row.name, row.currency): row.total for row in rows if row.total}


async def holds(shop: Shop) -> None:
    assert (await verify(shop.database)).findings == ()


async def test_a_cap_is_shared_by_all_customers_of_a_partner(shop: Shop) -> None:
    await bought(shop, "u1", "i1", 12_000)
    await bought(shop, "u2", "i2", 12_000)
    await bought(shop, "u3", "i3", 12_000)
    assert await earned(shop) == {"i1": 6_000, "i2": 4_000}
    assert await totals(shop) == {("rule:base", "usd"): 10_000, ("rule:base", ""): 2}
    await holds(shop)


async def test_one_batch_shares_it_too(shop: Shop) -> None:
    clicks = [shop.click("ana", ago(days=2))]
    await shop.tell(*(sale(f"u{n}", f"i{n}", 2_000, clicks=clicks) for n in range(120)))
    assert await earned(shop) == {f"i{n}": 1_000 for n in range(10)}
    await holds(shop)


async def test_a_refund_gives_room_to_what_is_decided_later_only(shop: Shop) -> None:
    await bought(shop, "u1", "i1", 20_000)
    await bought(shop, "u2", "i2", 10_000)
    await shop.tell(refund("i1", 20_000, refund_id="r1"))
    await shop.tell(lead("u2", name="later"))
    assert await earned(shop) == {"i1": 0}
    await bought(shop, "u3", "i3", 14_000)
    assert await earned(shop) == {"i1": 0, "i3": 7_000}
    await holds(shop)


async def test_a_refund_that_fails_takes_no_award_away(shop: Shop) -> None:
    await bought(shop, "u1", "i1", 20_000, at=ago(hours=5))
    await shop.tell(refund("i1", 20_000, at=ago(hours=3)))
    await bought(shop, "u2", "i2", 10_000)
    await shop.tell(refund("i1", 0, at=ago(hours=2)))
    await bought(shop, "u3", "i3", 10_000)
    assert await earned(shop) == {"i1": 10_000, "i2": 5_000}
    assert (await totals(shop))["rule:base", "usd"] == 15_000
    await holds(shop)


async def test_a_decision_again_keeps_its_place(shop: Shop) -> None:
    await bought(shop, "u1", "i1", 12_000, at=ago(hours=5))
    await bought(shop, "u2", "i2", 12_000, at=ago(hours=4))
    await shop.tell(refund("i1", 6_000, refund_id="r1"))
    await shop.tell(lead("u2", name="later"))
    assert await earned(shop) == {"i1": 3_000, "i2": 4_000}
    await holds(shop)


async def test_a_sale_that_becomes_anothers_goes_to_the_end_of_its_queue(shop: Shop) -> None:
    await bought(shop, "u1", "i1", 12_000, at=ago(hours=5))
    await bought(shop, "u2", "i2", 12_000, at=ago(hours=4))
    await shop.tell(lead("u1", at=ago(hours=6), clicks=[shop.click("bo", ago(days=1))]))
    assert await shop.balance("bo") == {"pending": 6_000}
    assert await earned(shop) == {"i1": 6_000, "i2": 4_000}
    await bought(shop, "u3", "i3", 20_000)
    assert await earned(shop) == {"i1": 6_000, "i2": 4_000, "i3": 6_000}
    await holds(shop)


async def test_customers_who_turn_out_to_be_one_keep_their_places(shop: Shop) -> None:
    await bought(shop, "u1", "i1", 12_000, at=ago(hours=5))
    await bought(shop, "u2", "i2", 12_000, at=ago(hours=4))
    await shop.tell(lead("u1", name="joined", aliases=[Alias("own", "u2")]))
    assert await earned(shop) == {"i1": 6_000, "i2": 4_000}
    await holds(shop)


async def test_a_cap_in_a_new_version_counts_what_its_rule_paid_before(
    fresh_database: Database,
) -> None:
    shop = await make_shop(fresh_database, plan([{"id": "base", "pay": {"percent_bps": 5_000}}]))
    await bought(shop, "u1", "i1", 12_000)
    assert await totals(shop) == {}
    async with fresh_database.tx() as tx:
        await publish(tx, shop, CAPPED)
    await bought(shop, "u2", "i2", 12_000)
    assert await earned(shop) == {"i1": 6_000, "i2": 4_000}
    await holds(shop)


async def test_a_rule_of_one_id_in_two_terms_has_one_cap_in_one_sale_too(
    fresh_database: Database,
) -> None:
    rule: dict[str, Any] = {"id": "base", "pay": {"percent_bps": 5_000}, "cap": CAP}
    shop = await make_shop(fresh_database, plan([rule], model="linear"))
    own = {**rule, "pay": {"to": "recruiter", "percent_bps": 5_000}}
    async with fresh_database.tx() as tx:
        ana = update(t.Enrollment).where(t.Enrollment.partner_id == shop.partners["ana"])
        await tx.execute(ana.values(recruited_by=shop.partners["bo"]))
        terms = canonical_agreement(parse_agreement({"combine": "first_match", "rules": [own]}))
        await tx.execute(insert(t.PlanVersion).values(of_version(shop, terms, "ana")))
    clicks = [shop.click("bo", ago(days=2)), shop.click("ana", ago(days=1))]
    await shop.tell(sale("u1", "i1", 60_000, clicks=clicks, at=ago(minutes=1)))
    assert await shop.balance("bo") == {"pending": 10_000}
    await holds(shop)


async def publish(tx: Tx, shop: Shop, terms: dict[str, Any]) -> None:
    await tx.execute(insert(t.PlanVersion).values(of_version(shop, canonical(parse(terms)))))


def of_version(shop: Shop, document: dict[str, Any], partner: str | None = None) -> dict[str, Any]:
    """The program's second version, or a partner's own terms."""
    return {
        "id": uuid7(),
        "workspace_id": shop.workspace,
        "program_id": shop.programs["main"],
        "partner_id": partner and shop.partners[partner],
        "version": 2,
        "document": document,
        "effective_from": ago(minutes=5),
        "published_at": ago(minutes=5),
    }


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE tallies SET total = total + 1 WHERE currency <> ''", "tally part_"),
        ("DELETE FROM tallies WHERE currency = ''", "tally part_"),
        ("DELETE FROM tally_periods", "tally part_"),
        ("UPDATE tally_periods SET period = '2026-13'", "tallies of prog_"),
        ("UPDATE conversions SET positions = NULL", "conversion conv_"),
        (
            "UPDATE conversions SET positions = jsonb_set(positions, '{0,5}', '7')",
            "conversion conv_",
        ),
        ("UPDATE decisions SET facts = jsonb_set(facts, '{tallies,0,5}', '7')", "decision 2"),
    ],
)
async def test_a_changed_total_or_place_is_named(shop: Shop, change: str, named: str) -> None:
    await bought(shop, "u1", "i1", 12_000)
    await bought(shop, "u2", "i2", 12_000)
    async with shop.database.tx() as tx:
        driver = await tx.driver()
        await driver.execute("ALTER TABLE decisions DISABLE TRIGGER USER")
        await driver.execute(change)
    places = [finding.place for finding in (await verify(shop.database)).findings]
    assert any(place.startswith(named) for place in places)
