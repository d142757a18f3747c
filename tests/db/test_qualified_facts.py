"""What single partners have, and their own terms, as decisions store it: whole, and proved."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError

from app.conversions.proof.verify import verify
from app.core.plans import canonical_agreement, parse_agreement
from app.db import tables as t
from app.db.engine import Database
from app.ids import uuid7
from tests.making import LONG_AGO, Shop, ago, make_shop, percent, sale

OWN = {"combine": "first_match", "rules": [{"id": "half", "pay": {"percent_bps": 5_000}}]}
BY_TIER = [
    {"id": "gold", "match": {"tiers": ["gold"]}, "pay": {"percent_bps": 3_000}},
    {"id": "base", "pay": {"percent_bps": 1_000}},
]


async def shop_of(database: Database, **terms: Any) -> Shop:
    """Ana is gold, and was nothing until ten days ago; Bo has terms of his own since then."""
    shop = await make_shop(database, {**percent(2_000), **terms})
    async with database.tx() as tx:
        for since, tier in ((LONG_AGO, ""), (ago(days=10), "gold")):
            await tx.execute(insert(t.PartnerQualification).values(**has(shop, since, tier)))
        document = canonical_agreement(parse_agreement(OWN))
        await tx.execute(
            insert(t.PlanVersion).values(
                id=uuid7(),
                workspace_id=shop.workspace,
                program_id=shop.programs["main"],
                partner_id=shop.partners["bo"],
                version=1,
                document=document,
                effective_from=ago(days=10),
                published_at=LONG_AGO,
            )
        )
    return shop


def has(shop: Shop, since: datetime, tier: str, partner: str = "ana") -> dict[str, Any]:
    return {
        "workspace_id": shop.workspace,
        "program_id": shop.programs["main"],
        "partner_id": shop.partners[partner],
        "since": since,
        "tier": tier,
        "certified": False,
        "agreement": "",
    }


async def tell_three(shop: Shop) -> None:
    for customer, partner, days in (("u1", "ana", 1), ("u2", "ana", 20), ("u3", "bo", 1)):
        click = shop.click(partner, ago(days=days, hours=1))
        await shop.tell(sale(customer, f"i-{customer}", 100_00, at=ago(days=days), clicks=[click]))


async def worlds(shop: Shop) -> list[dict[str, Any]]:
    rows = await shop.rows(
        "SELECT facts FROM decisions WHERE workspace_id = :workspace ORDER BY decision_no"
    )
    return [row.facts["world"] for row in rows]


async def test_each_sale_is_paid_by_what_held_on_its_day(fresh_database: Database) -> None:
    shop = await shop_of(fresh_database, rules=BY_TIER)
    await tell_three(shop)
    assert await shop.balance("ana") == {"pending": 30_00 + 10_00}
    assert await shop.balance("bo") == {"pending": 50_00}
    told = [sorted({"qualified", "agreements"} & world.keys()) for world in await worlds(shop)]
    assert told == [["qualified"], ["qualified"], ["agreements"]]
    assert (await verify(fresh_database)).findings == ()


async def test_what_no_plan_asks_for_is_not_stored(fresh_database: Database) -> None:
    shop = await shop_of(fresh_database)
    await tell_three(shop)
    *of_ana, of_bo = await worlds(shop)
    assert all(world.keys() == {"links", "programs", "enrollments"} for world in of_ana)
    assert "qualified" not in of_bo
    assert (await verify(fresh_database)).findings == ()


async def test_own_terms_of_who_is_behind_a_partner_are_known_too(fresh_database: Database) -> None:
    recruiting = {"id": "up", "pay": {"to": "recruiter", "percent_bps": 1_000}}
    shop = await shop_of(fresh_database, rules=[*BY_TIER, recruiting])
    recruited = update(t.Enrollment).where(t.Enrollment.partner_id == shop.partners["ana"])
    async with fresh_database.tx() as tx:
        await tx.execute(recruited.values(recruited_by=shop.partners["bo"]))
    await tell_three(shop)
    assert await shop.balance("bo") == {"pending": 50_00 + 10_00 + 10_00}
    assert (await verify(fresh_database)).findings == ()


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ("UPDATE partner_qualifications SET tier = 'silver' WHERE tier = 'gold'", {1, 2}),
        ("UPDATE partner_qualifications SET certified = true WHERE tier = ''", {1, 2}),
        ("DELETE FROM partner_qualifications WHERE tier = 'gold'", {1, 2}),
        (
            (
                "INSERT INTO partner_qualifications SELECT workspace_id, program_id, partner_id,"
                " since - interval '1 day', tier, certified, certified_until, 'v1'"
                " FROM partner_qualifications WHERE tier = 'gold'"
            ),
            {1, 2},
        ),
        ("UPDATE plan_versions SET effective_from = now() WHERE partner_id IS NOT NULL", {3}),
        (
            (
                "UPDATE plan_versions SET effective_until = now() - interval '2 days'"
                " WHERE partner_id IS NOT NULL"
            ),
            {3},
        ),
        (
            (
                "UPDATE plan_versions SET document ="
                " jsonb_set(document, '{rules,0,pay,percent_bps}', '5001')"
                " WHERE partner_id IS NOT NULL"
            ),
            {3},
        ),
        (
            (
                "INSERT INTO plan_versions (id, workspace_id, program_id, partner_id, version,"
                " document, effective_from, published_at) SELECT gen_random_uuid(), workspace_id,"
                " program_id, (SELECT partner_id FROM partner_qualifications LIMIT 1), 1, document,"
                " effective_from, published_at FROM plan_versions WHERE partner_id IS NOT NULL"
            ),
            {1, 2},
        ),
    ],
)
async def test_one_change_is_named(fresh_database: Database, change: str, places: set[int]) -> None:
    shop = await shop_of(fresh_database, rules=BY_TIER)
    await tell_three(shop)
    async with fresh_database.tx() as tx:
        driver: Any = await tx.driver()
        await driver.execute("SET session_replication_role = replica")
        await driver.execute(change)
        await driver.execute("SET session_replication_role = DEFAULT")
    found = {finding.place for finding in (await verify(fresh_database)).findings}
    assert {f"decision {number}" for number in places} <= found
    others = {f"decision {number}" for number in {1, 2, 3} - places}
    assert not others & found


@pytest.mark.parametrize(
    ("change", "is_allowed"),
    [
        ("UPDATE partner_qualifications SET tier = 'silver' WHERE tier = 'gold'", False),
        ("DELETE FROM partner_qualifications WHERE tier = 'gold'", False),
        ("UPDATE partner_qualifications SET tier = 'silver' WHERE tier = 'ahead'", True),
        ("UPDATE partner_qualifications SET since = now() WHERE tier = 'ahead'", False),
        ("UPDATE plan_versions SET document = '{}' WHERE partner_id IS NOT NULL", False),
        ("DELETE FROM plan_versions WHERE partner_id IS NOT NULL", False),
        (
            (
                "UPDATE plan_versions SET effective_until = now() + interval '1 hour'"
                " WHERE partner_id IS NOT NULL"
            ),
            True,
        ),
        (
            (
                "UPDATE plan_versions SET effective_until = now() - interval '1 second'"
                " WHERE partner_id IS NOT NULL"
            ),
            False,
        ),
        (
            (
                "UPDATE plan_versions SET effective_until = now() + interval '1 hour', version = 9"
                " WHERE partner_id IS NOT NULL"
            ),
            False,
        ),
        (
            (
                "UPDATE plan_versions SET effective_until = now() + interval '1 hour'"
                " WHERE partner_id IS NULL"
            ),
            False,
        ),
    ],
)
async def test_what_holds_already_cannot_be_changed(
    fresh_database: Database, change: str, *, is_allowed: bool
) -> None:
    shop = await shop_of(fresh_database)
    async with fresh_database.tx() as tx:
        await tx.execute(insert(t.PartnerQualification).values(**has(shop, ago(days=-1), "ahead")))
    if is_allowed:
        async with fresh_database.tx() as tx:
            assert (await tx.execute(text(change))).rowcount == 1
        return
    with pytest.raises(DBAPIError, match=r"holds already stays|is published"):
        async with fresh_database.tx() as tx:
            await tx.execute(text(change))
