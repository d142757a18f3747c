"""Demo data, made by the same functions as the API's, and the commands that play the story."""

import secrets
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from app import add_partners
from app.add_partners import PartnerCreate
from app.conversions.sources import change as source_changes
from app.conversions.sources.change import SourceCreate
from app.db.tables import Link
from app.db.tx import Tx
from app.ids import encode
from app.program.programs import create as programs
from app.program.programs.create import ProgramCreate
from app.secret_keys import SecretKeys

_PLAN: Final[dict[str, Any]] = {
    "hold_days": 14,
    "attribution": {"model": "last_click", "window_days": 60},
    "combine": "first_match",
    "rules": [{"id": "every-sale", "pay": {"to": "partner", "percent_bps": 2000}}],
}


@dataclass(frozen=True, slots=True)
class Demo:
    """What was made. code: the link's; secret: with which Stripe would sign."""

    partner: str
    code: str
    source: str
    secret: str


async def make(tx: Tx, workspace: UUID, keys: SecretKeys) -> Demo:
    """One program (20 % of every sale, 14 days' hold), one partner with a link, one source."""
    program = await programs.create(
        tx,
        workspace,
        ProgramCreate(
            name="Demo program",
            currency="usd",
            destination_hosts=["example.com"],
            default_destination="https://example.com/pricing",
            plan=_PLAN,
        ),
    )
    partner = await add_partners.create(
        tx,
        workspace,
        PartnerCreate(program_id=program.id, name="Ana", email="ana@example.com", country="DE"),
    )
    secret = "whsec_" + secrets.token_hex(16)
    source = await source_changes.create(
        tx, workspace, SourceCreate(provider="stripe", signing_secrets=[secret]), keys
    )
    code: str = await tx.scalar(select(Link.code).where(Link.id == partner.link_id))
    return Demo(encode("part", partner.id), code, encode("src", source), secret)


def story(demo: Demo, *, base_url: str, key: str) -> str:
    """What to paste into a shell with curl and openssl."""
    return f"""
Demo data: one program (20 % of every sale, held for 14 days), one partner, one Stripe source.
The partner's link: {base_url}/r/{demo.code}
The story, to paste into another terminal (curl and openssl are all it needs):

BASE={base_url}  KEY={key}
CODE={demo.code}  PARTNER={demo.partner}
SOURCE={demo.source}  SECRET={demo.secret}

# Somebody clicks (-A: by its own name curl is a bot, whose clicks earn nobody). The site that is
# reached finds the token of the click in its address.
CLICK=$(curl -s -A Mozilla/5.0 -o /dev/null -w '%{{redirect_url}}' $BASE/r/$CODE |
  sed 's/.*click_id=//')
echo $CLICK

# Stripe tells of the checkout, which carries the token, and of the paid invoice: 100.00 USD.
stripe() {{
  AT=$(date +%s)
  SENT='{{"id":"'$1'","object":"event","type":"'$2'","created":'$AT',"livemode":false,
    "data":{{"object":'$3'}}}}'
  SIGNED=$(printf %s "$AT.$SENT" | openssl dgst -sha256 -hmac $SECRET | sed 's/.* //')
  curl -s $BASE/v1/webhooks/$SOURCE \\
    -H "Stripe-Signature: t=$AT,v1=$SIGNED" --data-raw "$SENT"; echo
}}
CHECKOUT='{{"id":"cs_demo","object":"checkout.session","mode":"subscription",
  "customer":"cus_demo","invoice":"in_demo","client_reference_id":"'$CLICK'"}}'
INVOICE='{{"id":"in_demo","object":"invoice","customer":"cus_demo","currency":"usd",
  "amount_paid":10000,"total":10000,"total_excluding_tax":10000}}'
stripe evt_demo_1 checkout.session.completed "$CHECKOUT"
stripe evt_demo_2 invoice.paid "$INVOICE"

# A moment later: the commission with its explanation, and what the partner is owed.
sleep 2
COMMISSION=$(curl -s $BASE/v1/commissions -H "Authorization: Bearer $KEY" |
  grep -o 'com_[0-9a-z]*' | head -n 1)
curl -s $BASE/v1/commissions/$COMMISSION -H "Authorization: Bearer $KEY"; echo
curl -s $BASE/v1/partners/$PARTNER/balance -H "Authorization: Bearer $KEY"; echo

# Once more: Stripe repeats itself, and nothing is paid twice.
stripe evt_demo_2 invoice.paid "$INVOICE"
"""
