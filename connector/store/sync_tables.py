"""The rows of talking with stores: what must be read again, which topics are heard, merged customers, points left, privacy requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, SmallInteger, text
from sqlmodel import Field, SQLModel

from connector.store import columns


class WantedReadRow(SQLModel, table=True):
    """
    A record that must be read from the store again: something of it changed, and what came does not say all.

    `wanted_at` moves when it is wanted again; a read settles only what was wanted before it began. `is_quiet`: only a sync wants it.
    """

    __tablename__ = "wanted_reads"
    __table_args__ = (Index("ix_wanted_reads_due", "due_at", "shop_id"),)
    shop_id: int = columns.ref("shops.id", primary_key=True)
    resource: str = Field(primary_key=True)
    platform_id: str = Field(primary_key=True)
    wanted_at: datetime
    due_at: datetime
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    reason: str | None = None
    is_quiet: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})


class TopicHealthRow(SQLModel, table=True):
    """
    Whether a topic is heard from a shop. `changed_at`: the newest change that the topic must have told of; `heard_at`: its newest delivery.

    `silent_since` is set while it did not; `fallback_at` while the topic is subscribed for this shop alone.
    """

    __tablename__ = "topic_health"
    __table_args__ = (Index("ix_topic_health_silent", "shop_id", postgresql_where=text("silent_since is not null")),)
    shop_id: int = columns.ref("shops.id", primary_key=True)
    topic: str = Field(primary_key=True)
    changed_at: datetime | None = None
    heard_at: datetime | None = None
    silent_since: datetime | None = None
    fallback_at: datetime | None = None
    checked_at: datetime


class ShopCheckupRow(SQLModel, table=True):
    """What the last examination of a shop's connection found: a list of `{code, verdict, found, cause}`."""

    __tablename__ = "shop_checkups"
    shop_id: int = columns.ref("shops.id", primary_key=True)
    checked_at: datetime
    checks: list[dict[str, Any]] = columns.json("[]")


class CustomerMergeRow(SQLModel, table=True):
    """Two customers of a shop became one: what names the merged one means the kept one."""

    __tablename__ = "customer_merges"
    __table_args__ = (Index(None, "shop_id", "kept_id"),)
    shop_id: int = columns.ref("shops.id", primary_key=True)
    merged_id: str = Field(primary_key=True)
    kept_id: str
    at: datetime


class CallBudgetRow(SQLModel, table=True):
    """
    How many points a shop's platform has left for our calls, at `at`; fills up by `per_second` until `maximum`.

    Below zero while calls wait for points that they have set aside. No truth: every answer of the platform says it anew.
    """

    __tablename__ = "call_budgets"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
    key: str = Field(primary_key=True)
    available: float
    maximum: float
    per_second: float
    at: datetime


class PrivacyRequestRow(SQLModel, table=True):
    """
    What the law asks of us for a shopper or a whole shop, by when, and whether it is done.

    `person`: whom it is about, sealed; gone once the person is erased. `erased`: how many rows of each kind went. No reference to the
    shop: what was done for one outlives it.
    """

    __tablename__ = "privacy_requests"
    __table_args__ = (
        columns.one_of("kind", "data_request", "customer_redact", "shop_redact"),
        columns.one_of("state", "open", "done"),
        Index(None, "shop_id", "id"),
        Index("ix_privacy_requests_open", "due_at", postgresql_where=text("state = 'open'")),
        Index("uq_privacy_requests_key", "key_hash", unique=True),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.shop_of_parent()
    kind: str
    key_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    person: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    state: str = "open"
    requested_at: datetime
    due_at: datetime
    done_at: datetime | None = None
    opened_at: datetime | None = None
    erased: dict[str, Any] = columns.json("{}")


class ErasedPersonRow(SQLModel, table=True):
    """
    Who was erased, and when they asked for it: a keyed hash of each e-mail, phone, customer, order and checkout that told them.

    What speaks of them and is from before is not taken in again, however late it comes.
    """

    __tablename__ = "erased_people"
    shop_id: int = columns.ref("shops.id", primary_key=True)
    fact_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    at: datetime
