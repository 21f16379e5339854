"""The rows of the inbox, of our clock, and of what was counted."""

from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, SmallInteger, text
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlmodel import Field, SQLModel

from connector.store import columns


class AppClockRow(SQLModel, table=True):
    """One row: whether this database belongs to a sandbox, and how far its clock runs ahead (zero elsewhere)."""

    __tablename__ = "app_clock"
    __table_args__ = (CheckConstraint("id = 1", name="single"), CheckConstraint("is_sandbox or ahead = interval '0'", name="real_time"))
    id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    is_sandbox: bool = False
    ahead: timedelta = Field(sa_column=Column(INTERVAL, nullable=False))


class DeliveryRow(SQLModel, table=True):
    """One inbound webhook request, kept once by its key. Small; the bytes are in `delivery_bodies`."""

    __tablename__ = "deliveries"
    __table_args__ = (
        columns.one_of("state", "pending", "applied", "no_meaning_yet", "after_uninstall", "quarantined"),
        Index("ix_deliveries_pending", "shop_id", "id", postgresql_where=text("state = 'pending'")),
        Index("ix_deliveries_quarantined", "id", postgresql_where=text("state = 'quarantined'")),
        Index(None, "shop_id", "received_at"),
    )
    id: int | None = columns.key()
    key: bytes = Field(sa_column=Column(LargeBinary, unique=True, nullable=False))
    # No foreign key: its check costs the door a tenth of each insert, and shops are erased, never just deleted.
    shop_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    platform: str
    topic: str
    state: str = Field(default="pending", sa_column_kwargs={"server_default": "pending"})
    reason: str | None = None
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    triggered_at: datetime | None = None
    received_at: datetime
    received_on: date
    handled_at: datetime | None = None


class DeliveryBodyRow(SQLModel, table=True):
    """The raw bytes and kept headers of a delivery; partitioned by day, dropped after the retention time."""

    __tablename__ = "delivery_bodies"
    __table_args__ = ({"postgresql_partition_by": "RANGE (received_on)"},)
    received_on: date = Field(primary_key=True)
    delivery_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    shop_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    headers: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class DeliveryPersonRow(SQLModel, table=True):
    """
    Which deliveries speak of a person (keyed hash of an e-mail, phone or customer id), so that the person can be erased.

    No reference to the delivery, whose check would cost half as much as the row: whoever forgets deliveries deletes what speaks of
    them. Their ids rise with time, so that a summary of each range of rows (BRIN) finds them and costs nothing to keep.
    """

    __tablename__ = "delivery_people"
    __table_args__ = (Index(None, "delivery_id", postgresql_using="brin"),)
    person_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    delivery_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    shop_id: int = columns.shop_of_parent()


class UnknownShopRow(SQLModel, table=True):
    """How often authentic deliveries came for a shop we do not know."""

    __tablename__ = "unknown_shops"
    platform: str = Field(primary_key=True)
    shop_ref: str = Field(primary_key=True)
    topic: str = Field(primary_key=True)
    count: int = Field(sa_column=Column(BigInteger, nullable=False))
    last_at: datetime
