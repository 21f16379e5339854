"""
The rows of people who ask: members and staff, their sessions and sign-in links, API keys; and what we tell owners.

Whatever a person or program shows to be let in lies here as a keyed hash, a password as Argon2id, a secret that we need again sealed.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, SmallInteger, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from connector.rules.permissions import Role, StaffRole
from connector.store import columns

ONE_PERSON = "num_nonnulls(member_id, staff_id) = 1"


def _bytes(*, nullable: bool = False, unique: bool = False, index: bool = False, primary_key: bool = False) -> Column[bytes]:
    return Column(LargeBinary, nullable=nullable, unique=unique, index=index, primary_key=primary_key)


class MemberRow(SQLModel, table=True):
    """
    One person in one account. Without an address (a store that told none) nobody signs in until somebody is invited.

    `platform_user`: who this is inside the platform's admin, as `shopify:{shop domain}:{user id}`.
    """

    __tablename__ = "members"
    __table_args__ = (
        UniqueConstraint("account_id", "email_norm"),
        columns.one_of("role", *(role.value for role in Role)),
        Index(None, "email_norm", postgresql_where=text("email_norm is not null and removed_at is null")),
        UniqueConstraint("account_id", "platform_user"),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    account_id: int = columns.ref("accounts.id")
    email: str | None = None
    email_norm: str | None = None
    role: str
    language: str | None = None
    platform_user: str | None = None
    created_at: datetime
    removed_at: datetime | None = None


class StaffRow(SQLModel, table=True):
    """One of our own people. `totp_step`: the last 30 seconds whose code was used, so that each is good once."""

    __tablename__ = "staff"
    __table_args__ = (columns.one_of("role", *(role.value for role in StaffRole)),)
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    email_norm: str = Field(unique=True)
    name: str
    role: str
    password_hash: str
    totp_secret: bytes | None = Field(default=None, sa_column=_bytes(nullable=True))
    totp_confirmed_at: datetime | None = None
    totp_step: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    created_at: datetime
    disabled_at: datetime | None = None


class SessionRow(SQLModel, table=True):
    """
    One browser that is signed in. Its token is exchanged now and then; the one before stays good for a moment.

    `fresh_sealed`: the newest token until its browser has shown it, for those of its requests that still come with the old one.
    """

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint(ONE_PERSON, name="one_person"),)
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    token_hash: bytes = Field(sa_column=_bytes(unique=True))
    previous_hash: bytes | None = Field(default=None, sa_column=_bytes(nullable=True, index=True))
    fresh_sealed: bytes | None = Field(default=None, sa_column=_bytes(nullable=True))
    rotated_at: datetime
    member_id: int | None = columns.ref("members.id", nullable=True, index=True)
    staff_id: int | None = columns.ref("staff.id", nullable=True, index=True)
    second_factor_at: datetime | None = None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime = Field(index=True)


class SignInLinkRow(SQLModel, table=True):
    """A link that signs one person in, once; bound to the browser that asked for it, but for those of a sandbox."""

    __tablename__ = "sign_in_links"
    __table_args__ = (CheckConstraint(ONE_PERSON, name="one_person"),)
    token_hash: bytes = Field(sa_column=_bytes(primary_key=True))
    browser_hash: bytes | None = Field(default=None, sa_column=_bytes(nullable=True))
    member_id: int | None = columns.ref("members.id", nullable=True, index=True)
    staff_id: int | None = columns.ref("staff.id", nullable=True, index=True)
    created_at: datetime
    expires_at: datetime = Field(index=True)
    used_at: datetime | None = None


class AttemptRow(SQLModel, table=True):
    """How often somebody tried something since an instant. Who and what: a keyed hash."""

    __tablename__ = "attempts"
    key_hash: bytes = Field(sa_column=_bytes(primary_key=True))
    count: int
    since: datetime = Field(index=True)


class ApiKeyRow(SQLModel, table=True):
    """A key with which an account's own programs read. `hint`: its last signs, to tell keys apart."""

    __tablename__ = "api_keys"
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    account_id: int = columns.ref("accounts.id", index=True)
    name: str
    key_hash: bytes = Field(sa_column=_bytes(unique=True))
    hint: str
    scopes: list[str] = columns.texts()
    created_by: str
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class NoticeRow(SQLModel, table=True):
    """Something owners must know, once per cause until it is settled. `cause_key`: which shop, gap or request it is about."""

    __tablename__ = "notices"
    __table_args__ = (
        columns.one_of("cause", "needs_sign_in", "suspended", "gap_found", "data_request_ready", "offer_suspended", "offer_ending"),
        Index("ix_notices_open", "account_id", "cause", "cause_key", unique=True, postgresql_where=text("settled_at is null")),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    account_id: int = columns.ref("accounts.id", index=True)
    shop_id: int | None = columns.ref("shops.id", nullable=True, index=True)
    cause: str
    cause_key: str
    detail: str | None = None
    at: datetime
    settled_at: datetime | None = None


class SystemMailRow(SQLModel, table=True):
    """
    A mail of our own to a member, handed over at most once. Who gets it and what it says is sealed, and gone once it is settled.

    queued -> sending -> sent | queued again (refused for now) | refused | unknown.
    """

    __tablename__ = "system_mails"
    __table_args__ = (
        columns.one_of("kind", "sign_in", "invitation", "notice", "preview"),
        columns.one_of("state", "queued", "sending", "sent", "refused", "unknown"),
        Index("ix_system_mails_due", "due_at", "id", postgresql_where=text("state = 'queued'")),
        Index("ix_system_mails_sending", "lease_until", postgresql_where=text("state = 'sending'")),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    account_id: int | None = columns.ref("accounts.id", nullable=True, index=True)
    kind: str
    sealed: bytes | None = Field(default=None, sa_column=_bytes(nullable=True))
    state: str = "queued"
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    queued_at: datetime
    due_at: datetime
    lease_until: datetime | None = None
    handed_over_at: datetime | None = None
    detail: str | None = None


class HashKeyRow(SQLModel, table=True):
    """The key of all keyed hashes, sealed: it outlives the keys that seal, so that those can be exchanged and removed."""

    __tablename__ = "hash_key"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)
    id: int = Field(default=1, sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    sealed: bytes = Field(sa_column=_bytes())


class AdminCodeRow(SQLModel, table=True):
    """A code that leads one member from the page inside the platform's admin to the whole app, once, within a minute."""

    __tablename__ = "admin_codes"
    code_hash: bytes = Field(sa_column=_bytes(primary_key=True))
    shop_id: int = columns.ref("shops.id", index=True)
    member_id: int = columns.ref("members.id", index=True)
    created_at: datetime
