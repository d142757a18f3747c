"""What all tables share: constraint names, and how Python types become columns."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, MetaData, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}

Json = Any
"""A JSON document as Python values; its shape stands in the column's docstring."""


class Base(DeclarativeBase):
    """Money is bigint minor units, instants are timestamptz, text has no length."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy declares it as an instance mapping)
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        date: Date,
        UUID: Uuid,
        Json: JSONB(none_as_null=True),
    }
