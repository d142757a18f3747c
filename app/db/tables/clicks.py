"""Clicks as the drain writes them: small rows, day partitions, texts in dictionaries."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Identity, Index, Integer, SmallInteger, func, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class Agent(Base):
    """User agents seen, each once; found by digest, since texts are long."""

    __tablename__ = "agents"
    __table_args__ = (Index("uq_agents_digest", "digest", unique=True),)

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    digest: Mapped[UUID]
    text: Mapped[str]


class Referrer(Base):
    """Referring pages seen, each once."""

    __tablename__ = "referrers"
    __table_args__ = (Index("uq_referrers_digest", "digest", unique=True),)

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    digest: Mapped[UUID]
    text: Mapped[str]


class Click(Base):
    """One opened link. Range-partitioned by day on the UUIDv7 itself, which holds the time."""

    __tablename__ = "clicks"
    __table_args__ = {"postgresql_partition_by": "RANGE (id)"}  # noqa: RUF012 (declarative form)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    link_id: Mapped[UUID]
    agent_id: Mapped[int | None] = mapped_column(Integer)
    referrer_id: Mapped[int | None] = mapped_column(Integer)
    traffic_class: Mapped[int] = mapped_column(SmallInteger)
    """Number of the class in `core.traffic.CLASSES`."""
    recovered: Mapped[bool] = mapped_column(server_default=text("false"))
    """Made from a token that came with a conversion; the drain fills in the rest if it can."""
    subs: Mapped[str | None]
    """The visitor's own sub-ids as a query: `sub1=footer&sub2=42`; the link's own are on the link.
    Kept here, not in a dictionary: some networks send a new one with each click, and what visitors
    make up must go with its partition. A click without any pays nothing."""


class LinkClicks(Base):
    """Clicks per link, day (UTC) and class; raised only by rows that were really inserted."""

    __tablename__ = "link_clicks"

    link_id: Mapped[UUID] = mapped_column(primary_key=True)
    on_day: Mapped[date] = mapped_column(primary_key=True)
    traffic_class: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    clicks: Mapped[int]


class QuarantinedClick(Base):
    """A journal row that Postgres refuses, kept whole with the error."""

    __tablename__ = "quarantined_clicks"

    click_id: Mapped[UUID] = mapped_column(primary_key=True)
    row: Mapped[bytes] = mapped_column(BYTEA)
    """The journal row as JSON bytes."""
    error: Mapped[str]
    quarantined_at: Mapped[datetime] = mapped_column(server_default=func.now())
