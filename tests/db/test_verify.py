"""`verify` has teeth: one changed cent, fact or balance is named."""

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from app import commands
from app.conversions.proof.verify import Verdict, verify
from app.conversions.providers.mapping import Alias
from app.db.engine import Database
from app.ids import encode
from app.ledger.mature import GRACE_S, mature_workspace
from app.settings import Settings
from tests.making import Shop, ago, lead, make_shop, percent, refund, sale


@pytest.fixture
async def shop(fresh_database: Database) -> Shop:
    """Two partners, a join, a supersession, refunds, and one matured commission."""
    shop = await make_shop(fresh_database, percent(2000, hold_days=14))
    await shop.tell(sale("u1", "i1", 100_00, clicks=[shop.click("ana", ago(days=2))]))
    await shop.tell(lead("u1", clicks=[shop.click("bo", ago(days=1))]))
    await shop.tell(refund("i1", 30_00, refund_id="r1"))
    await shop.tell(lead("u2", at=ago(hours=3), clicks=[shop.click("ana", ago(days=1))]))
    await shop.tell(sale("cus_2", "i2", 50_00, at=ago(hours=1)), refund("i9", 1_00))
    await shop.tell(lead("u2", name="joined", aliases=[Alias("own", "cus_2")]))
    await shop.tell(
        sale("u3", "i3", 70_00, at=ago(days=60), clicks=[shop.click("ana", ago(days=61))])
    )
    return shop


async def test_all_holds(shop: Shop) -> None:
    verdict = await verify(shop.database)
    assert verdict.findings == ()
    assert verdict.decisions == 7
    assert verdict.transfers > 5


async def test_matured_commissions_hold_too(fresh_database: Database) -> None:
    shop = await make_shop(fresh_database, percent(2000, hold_days=0, late_days=0))
    await shop.tell(
        sale("u1", "i1", 100_00, at=ago(days=1), clicks=[shop.click("ana", ago(days=2))])
    )
    await asyncio.sleep(GRACE_S + 0.2)
    assert await mature_workspace(fresh_database, shop.workspace) == 1
    await shop.tell(refund("i1", 30_00, refund_id="r1"))
    assert await shop.balance("ana") == {"payable": 14_00}
    assert (await verify(fresh_database)).findings == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE commissions SET amount = amount + 1 WHERE reversed = 0", "commission com_"),
        ("UPDATE transfers SET amount = amount + 1 WHERE number = 2", "transfer 2"),
        ("UPDATE accounts SET credits = credits + 1 WHERE role = 'pending'", "account acct_"),
        (
            "UPDATE accounts SET partner_id = gen_random_uuid() WHERE role = 'pending'",
            "account acct_",
        ),
        ("UPDATE accounts SET currency = 'credit:usd' WHERE credits > 0", "account acct_"),
        (
            "UPDATE commissions SET partner_id = gen_random_uuid() WHERE superseded",
            "commission com_",
        ),
        ("UPDATE commissions SET occurred_at = now() WHERE NOT superseded", "commission com_"),
        ("UPDATE conversions SET refunded = refunded + 1 WHERE gross = 10000", "conversion conv_"),
        (
            (
                "UPDATE decisions SET facts = jsonb_set(facts, '{events,0,body,gross}', '9999')"
                " WHERE decision_no = 1"
            ),
            "decision 1",
        ),
        (
            (
                "UPDATE events SET mapped = jsonb_set(mapped, '{body,gross}', '9999')"
                " WHERE external_id = 'sale:i1'"
            ),
            "event evt_",
        ),
        ("DELETE FROM transfers WHERE number = 3", "transfers"),
        ("DELETE FROM decisions WHERE decision_no = 2", "decision 2"),
        (
            (
                "UPDATE plan_versions SET document ="
                " jsonb_set(document, '{rules,0,pay,percent_bps}', '2001')"
            ),
            "decision",
        ),
    ],
)
async def test_one_change_is_named(shop: Shop, change: str, named: str) -> None:
    await _as_owner(shop.database, "SET session_replication_role = replica", change)
    verdict = await verify(shop.database)
    assert any(finding.place.startswith(named) for finding in verdict.findings), verdict


async def test_the_changed_commission_is_the_one_named(shop: Shop) -> None:
    commission = (await shop.commissions())[0]
    await _as_owner(
        shop.database, f"UPDATE commissions SET base = base + 1 WHERE id = '{commission.id}'"
    )
    verdict = await verify(shop.database)
    assert _places(verdict) == {f"commission {encode('com', commission.id)}"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            "UPDATE commissions SET amount = amount + 1 WHERE reversed = 0",
            "amount is 1001, should be 1000",
        ),
        (
            (
                "UPDATE decisions SET facts = jsonb_set(facts, '{events,0,body,gross}', '9999')"
                " WHERE decision_no = 1"
            ),
            "decision 1: ",
        ),
        ("UPDATE accounts SET credits = credits + 1 WHERE role = 'pending'", "account acct_"),
    ],
)
async def test_the_command_names_a_cent_a_fact_a_balance_and_exits_1(
    shop: Shop, capsys: pytest.CaptureFixture[str], change: str, named: str
) -> None:
    settings = Settings(database_url=SecretStr(shop.database.url), secret_keys=("-" * 32,))
    assert await asyncio.to_thread(commands.verify, settings) == 0
    assert "all hold" in capsys.readouterr().out
    await _as_owner(shop.database, "SET session_replication_role = replica", change)
    assert await asyncio.to_thread(commands.verify, settings) == 1
    assert named in capsys.readouterr().out


def _places(verdict: Verdict) -> set[str]:
    return {finding.place for finding in verdict.findings}


async def _as_owner(database: Database, *statements: str) -> None:
    async with database.tx() as tx:
        driver: Any = await tx.driver()
        for statement in statements:
            await driver.execute(statement)
        await driver.execute("SET session_replication_role = DEFAULT")
