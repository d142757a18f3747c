"""Signs of life of processes that answer no requests."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class Heartbeat(Base):
    """When a role last did its round, anywhere in the cluster."""

    __tablename__ = "heartbeats"

    role: Mapped[str] = mapped_column(primary_key=True)
    beat_at: Mapped[datetime] = mapped_column(server_default=func.now())
