"""The rows of automations: who may be written to, what was decided, what was sent, who did what."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, SmallInteger, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from connector.store import columns


class ConsentRow(SQLModel, table=True):
    """The newest consent word for one address on one channel of one shop."""

    __tablename__ = "consents"
    __table_args__ = (columns.one_of("state", "unknown", "pending", "subscribed", "unsubscribed"),)
    shop_id: int = columns.ref("shops.id", primary_key=True)
    channel: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    state: str
    source: str
    at: datetime


class SuppressionRow(SQLModel, table=True):
    """An address that gets nothing any more; a keyed hash, so that it outlives the erasure of the address."""

    __tablename__ = "suppressions"
    __table_args__ = (columns.one_of("reason", "unsubscribed", "bounced", "complained", "manual"),)
    shop_id: int = columns.ref("shops.id", primary_key=True)
    channel: str = Field(primary_key=True)
    address_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    reason: str
    at: datetime


class DiscountCodeRow(SQLModel, table=True):
    """
    One code on one Shop, as the store had it when it was read last. `platform_id`: of its discount, which may have many codes.

    Letter case does not tell codes apart, so it is unique without.
    """

    __tablename__ = "discount_codes"
    __table_args__ = (
        columns.one_of("kind", "percentage", "fixed_amount", "free_shipping", "other"),
        columns.one_of("status", "active", "scheduled", "expired"),
        Index("uq_discount_codes_code", "shop_id", text("lower(code)"), unique=True),
        columns.known("code_key"),
        columns.known("platform_id"),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    platform_id: str | None = None
    code: str
    code_key: str | None = columns.folded("code")
    title: str | None = None
    kind: str
    status: str = Field(default="active", sa_column_kwargs={"server_default": "active"})
    value: Decimal | None = columns.money()
    currency: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    usage_limit: int | None = None
    used: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    once_per_customer: bool = False
    minimum_subtotal: Decimal | None = columns.money()
    restrictions: list[str] = columns.texts()
    read_at: datetime | None = None
    deleted_at: datetime | None = None
    source_version: datetime | None = None


class AutomationRow(SQLModel, table=True):
    """What a merchant builds; off until turned on (SQ-01). `wait_minutes` counts from abandoned_at."""

    __tablename__ = "automations"
    __table_args__ = (UniqueConstraint("shop_id", "trigger"), CheckConstraint("wait_minutes >= 0", name="wait"))
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    trigger: str = "abandoned_checkout"
    is_on: bool = False
    activated_at: datetime | None = None
    deactivated_at: datetime | None = None
    wait_minutes: int = 0
    extra_text: str | None = None


class EnrollmentRow(SQLModel, table=True):
    """One checkout's way through one automation; once, by constraint (AC-05)."""

    __tablename__ = "enrollments"
    __table_args__ = (UniqueConstraint("checkout_id", "automation_id"),)
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id", index=True)
    checkout_id: int = columns.ref("checkouts.id")
    automation_id: int = columns.ref("automations.id", index=True)
    enrolled_at: datetime


class DecisionRow(SQLModel, table=True):
    """Why something was or was not done: the current answer per checkout and automation, and the last 20 in `history`."""

    __tablename__ = "decisions"
    checkout_id: int = columns.ref("checkouts.id", primary_key=True)
    automation_id: int = columns.ref("automations.id", primary_key=True)
    shop_id: int = columns.ref("shops.id", index=True)
    reason: str
    decided_at: datetime
    history: list[dict[str, Any]] = columns.json("[]")


class MessageRow(SQLModel, table=True):
    """
    One message to one person; unique per enrollment, step and channel, so it cannot be sent twice.

    queued -> sending -> sent | queued again (refused for now) | refused | unknown; queued -> cancelled with a reason.

    `lease_until`: until then it is somebody's: to hand over, or, while queued, to ask the store about. `looks`: how often it was put
    back because the store did not answer.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("enrollment_id", "step", "channel"),
        columns.one_of("state", "queued", "sending", "sent", "refused", "unknown", "cancelled"),
        Index("ix_messages_due", "due_at", "id", postgresql_where=text("state = 'queued'")),
        Index("ix_messages_sending", "lease_until", postgresql_where=text("state = 'sending'")),
        Index("ix_messages_handed_over_at", "handed_over_at", postgresql_where=text("handed_over_at is not null")),
        Index(None, "shop_id", "handed_over_at"),
        Index(None, "checkout_id"),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    enrollment_id: int = columns.ref("enrollments.id")
    checkout_id: int = columns.ref("checkouts.id")
    automation_id: int = columns.ref("automations.id", index=True)
    step: int = Field(default=1, sa_column=Column(SmallInteger, nullable=False))
    channel: str
    address: str
    state: str = "queued"
    reason: str | None = None
    detail: str | None = None
    subject: str | None = None
    queued_at: datetime
    due_at: datetime
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    looks: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    lease_until: datetime | None = None
    handed_over_at: datetime | None = None
    clicked_at: datetime | None = None
    link_token: str = Field(unique=True)
    unsubscribe_token: str = Field(unique=True)


class AuditEntryRow(SQLModel, table=True):
    """
    Who did what, where, when and why. No role of the app may change or delete it.

    Account and shop are no references: with those an entry would go, or change, together with what it tells of.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(None, "shop_id", "id"),
        Index("ix_audit_entries_reason", "object", "shop_id", "id", postgresql_where=text("action = 'support.reason'")),
    )
    id: int | None = columns.key()
    account_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    shop_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    actor: str
    action: str
    object: str | None = None
    reason: str | None = None
    request_id: str | None = None
    at: datetime
