"""FastAPI and SQLAlchemy with one INSERT a webhook, as a careful first version would have it.

`python -m bench.rivals.webhook PORT DATABASE_URL SECRET`. It verifies the signature by Stripe's own
library, keeps the body once per event id and answers after the commit. The secret is in memory and
the pool is warm; it reads no meaning out of the body but its id and type.
"""

import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import orjson
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import DateTime, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from stripe import SignatureVerificationError, WebhookSignature

POOL = 20


class Base(DeclarativeBase):
    pass


class RivalEvent(Base):
    __tablename__ = "rival_events"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    external_id: Mapped[str]
    type: Mapped[str]
    body: Mapped[bytes]
    state: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Acknowledged(BaseModel):
    event_id: uuid.UUID
    duplicate: bool


engine = create_async_engine(
    make_url(sys.argv[2]).set(drivername="postgresql+asyncpg"),
    pool_size=POOL,
    max_overflow=0,
)
Session = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as warm:
        for _ in range(POOL):
            connection = await warm.enter_async_context(engine.connect())
            await connection.execute(text("SELECT 1"))
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def session() -> AsyncIterator[AsyncSession]:
    async with Session() as opened:
        yield opened


@app.post("/v1/webhooks/{source}")
async def receive(
    source: str, request: Request, db: Annotated[AsyncSession, Depends(session)]
) -> Acknowledged:
    body = await request.body()
    try:
        header = request.headers.get("stripe-signature", "")
        WebhookSignature.verify_header(body.decode(), header, sys.argv[3], 300)
    except SignatureVerificationError as error:
        raise HTTPException(401) from error
    read = orjson.loads(body)
    event = RivalEvent(
        id=uuid.uuid4(),
        source=source,
        external_id=read["id"],
        type=read["type"],
        body=body,
        state="received",
        received_at=datetime.now(UTC),
    )
    db.add(event)
    try:
        await db.commit()
    except IntegrityError:
        return Acknowledged(event_id=event.id, duplicate=True)
    return Acknowledged(event_id=event.id, duplicate=False)


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
    )
