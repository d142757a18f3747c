"""Clicks as the drain writes them: small rows, day partitions, texts in dictionaries."""

from datetime import date, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Final
from uuid import UUID

from sqlalchemy import Identity, Index, Integer, SmallInteger, func, text
from sqlalchemy.dialects.postgresql import BYTEA, CIDR
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base

DAY_OF_ID: Final = (
    "(to_timestamp(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint / 1000.0)"
    " AT TIME ZONE 'UTC')::date"
)
"""SQL: a click's day. A UUIDv7 begins with 48 bits of milliseconds; Postgres reads hexadecimal as
bits."""


class Agent(Base):
    """User agents seen, each once; found by digest, since texts are long."""

    __tablename__ = "agents"
    __table_args__ = (Index("uq_agents_digest", "digest", unique=True),)

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    digest: Mapped[UUID]
    text: Mapped[str]
    seen_on: Mapped[date] = mapped_column(server_default=func.current_date())
    """The latest day (UTC) on which a drain met it; retention removes what no click can name."""


class Referrer(Base):
    """Referring pages seen, each once."""

    __tablename__ = "referrers"
    __table_args__ = (Index("uq_referrers_digest", "digest", unique=True),)

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    digest: Mapped[UUID]
    text: Mapped[str]
    seen_on: Mapped[date] = mapped_column(server_default=func.current_date())


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
    visitor: Mapped[int | None]
    """64 bits of an HMAC over address and agent with the day's salt, which is destroyed; none
    where the visitor asked for it (`Sec-GPC`), or where the salt was missing."""
    class_reason: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """Why it has its class: a number of `core.traffic.REASONS`."""
    country: Mapped[str | None]
    """ISO 3166-1 alpha-2, looked up before the journal; the address itself is never kept."""
    network: Mapped[IPv4Network | IPv6Network | None] = mapped_column(CIDR)
    """The address' /24 or /48, only where the program asks for it."""


class LinkClicks(Base):
    """Clicks per link, day (UTC) and class; raised only by rows that were really inserted."""

    __tablename__ = "link_clicks"

    link_id: Mapped[UUID] = mapped_column(primary_key=True)
    on_day: Mapped[date] = mapped_column(primary_key=True)
    traffic_class: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    clicks: Mapped[int]


class LinkImpressions(Base):
    """Served pixels per link, day (UTC) and class."""

    __tablename__ = "link_impressions"

    link_id: Mapped[UUID] = mapped_column(primary_key=True)
    on_day: Mapped[date] = mapped_column(primary_key=True)
    traffic_class: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    impressions: Mapped[int]


class ImpressionWriter(Base):
    """One process' run that counted impressions, and how far Postgres has taken its batches."""

    __tablename__ = "impression_writers"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    batch: Mapped[int]
    """Number of the last batch that was added, in the transaction that added it."""


class VisitorSalt(Base):
    """The random salt of one day's visitor hashes (UTC); deleted once its window is over.

    Unlogged: no write-ahead log, replica or physical backup has it. A crash of Postgres empties
    the table; the web processes know the salts and put them back.
    """

    __tablename__ = "visitor_salts"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012 (declarative form)

    on_day: Mapped[date] = mapped_column(primary_key=True)
    sealed_salt: Mapped[bytes] = mapped_column(BYTEA)
    """Encrypted (`app.secret_keys`), so that no backup holds it in clear."""
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())


class QuarantinedClick(Base):
    """A journal row that Postgres refuses, kept whole with the error."""

    __tablename__ = "quarantined_clicks"

    click_id: Mapped[UUID] = mapped_column(primary_key=True)
    row: Mapped[bytes] = mapped_column(BYTEA)
    """The journal row as JSON bytes."""
    error: Mapped[str]
    quarantined_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ClickRetention(Base):
    """How far retention has removed a workspace's clicks, so that no day is looked at twice."""

    __tablename__ = "click_retention"

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    cleared_to: Mapped[date]
    """Days (UTC) before it hold no click of the workspace. A drain that stores a late click sets
    it back to that click's day, in the same transaction."""
    clearing_from: Mapped[date | None]
    """Where the round that is going on began, or one that did not end: the next begins there."""
