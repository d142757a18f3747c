"""FastAPI and SQLAlchemy with one INSERT a click, as a careful first version would have it.

`python -m bench.rivals.insert PORT DATABASE_URL`. The links are in memory and the pool is warm,
so that nothing but the insert and its commit is on the way.
"""

import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from sqlalchemy import make_url, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.db.tables import Link

POOL = 20


class Base(DeclarativeBase):
    pass


class RivalClick(Base):
    __tablename__ = "rival_clicks"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    link_id: Mapped[uuid.UUID]
    agent: Mapped[str]
    referrer: Mapped[str]
    at: Mapped[datetime]


engine = create_async_engine(
    make_url(sys.argv[2]).set(drivername="postgresql+asyncpg"),
    pool_size=POOL,
    max_overflow=0,
)
Session = async_sessionmaker(engine, expire_on_commit=False)
links: dict[str, tuple[uuid.UUID, str]] = {}


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as warm:
        for _ in range(POOL):
            connection = await warm.enter_async_context(engine.connect())
            await connection.execute(text("SELECT 1"))
        for row in await connection.execute(select(Link.code, Link.id, Link.destination)):
            links[row.code] = (row.id, row.destination)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def session() -> AsyncIterator[AsyncSession]:
    async with Session() as opened:
        yield opened


@app.get("/r/{code}")
async def redirect(
    code: str, request: Request, db: Annotated[AsyncSession, Depends(session)]
) -> RedirectResponse:
    if code not in links:
        raise HTTPException(404)
    link_id, destination = links[code]
    click_id = uuid.uuid4()
    db.add(
        RivalClick(
            id=click_id,
            link_id=link_id,
            agent=request.headers.get("user-agent", ""),
            referrer=request.headers.get("referer", ""),
            at=datetime.now(UTC).replace(tzinfo=None),
        )
    )
    await db.commit()
    return RedirectResponse(
        f"{destination}?click_id={click_id}", 302, headers={"cache-control": "no-store"}
    )


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
