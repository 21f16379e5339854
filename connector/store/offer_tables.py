"""The rows of offers: what a merchant gives after a purchase, who was given it, why not, and the codes that we made for it."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, SmallInteger, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from connector.rules.grants import GrantState
from connector.rules.offers import CodeMode, OfferState
from connector.store import columns

UNDONE = text("wanted <> actual and actual <> 'refused'")
UNREAD = text("grant_id is not null and platform_id is null and wanted = 'issued' and actual = 'issued'")
HEADS = text("model_id is null and wanted <> 'deleted' and refusal is null")
HOLDING = text("state in ('preparing', 'live') and person_key is not null")


class OfferWorkRow(SQLModel, table=True):
    """
    A shop that has, or had, an offer beyond a draft: its row lock is the lease of all that is decided about offers there.

    `due_at`: when something must be looked at though nothing happens, as the end of a code. `codes_changed_at`: codes of the shop were
    read or removed then, and grants have not been looked at since.
    """

    __tablename__ = "offer_work"
    __table_args__ = (Index("ix_offer_work_due", "due_at", postgresql_where=text("due_at is not null")),)
    shop_id: int = columns.ref("shops.id", primary_key=True)
    due_at: datetime | None = None
    codes_changed_at: datetime | None = None


class OrderToJudgeRow(SQLModel, table=True):
    """An order that changed and that the offers of its shop have not looked at since; from `due_at` on, and goes away with that look."""

    __tablename__ = "orders_to_judge"
    __table_args__ = (Index(None, "due_at", "shop_id"),)
    order_id: int = columns.ref("orders.id", primary_key=True)
    shop_id: int = columns.shop_of_parent()
    due_at: datetime


class OfferRow(SQLModel, table=True):
    """
    A post-purchase offer. `version`: the number of the newest OfferVersion, which new recipients get.

    `reason` and `detail`: why it is suspended. `state_at`: since when it is in its state. `activated_at`: last time that it was
    published; orders paid before earn nothing.
    """

    __tablename__ = "offers"
    __table_args__ = (
        columns.one_of("state", *(state.value for state in OfferState)),
        CheckConstraint("(state = 'suspended') = (reason is not null)", name="reason"),
        Index(None, "shop_id", "state"),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    name: str
    state: str = OfferState.DRAFT.value
    reason: str | None = None
    detail: str | None = None
    version: int = 1
    created_at: datetime
    state_at: datetime
    activated_at: datetime | None = None


class OfferVersionRow(SQLModel, table=True):
    """
    What an offer says and gives from `at` on. Only a draft's is changed in place: who was given an offer keeps the version they got.

    `code`: the one code of a shared offer, as it is shown. `is_ours`: we make it (with these terms); else the merchant had it.
    The terms of a merchant's own code are those it had when it was chosen. For unique codes `valid_days` after the grant, up to the
    end of the day in the shop's time zone, or `ends_at`; `fallback_code` is given where none can be made. `minimum_order`: orders of
    less earn nothing. `most_uses`: so many purchases with codes of ours in twelve months and a person gets no more; 0: no limit.
    """

    __tablename__ = "offer_versions"
    __table_args__ = (
        UniqueConstraint("offer_id", "version"),
        columns.one_of("mode", *(mode.value for mode in CodeMode)),
        columns.one_of("kind", "percentage", "fixed_amount", "free_shipping", "other"),
    )
    id: int | None = columns.key()
    shop_id: int = columns.shop_of_parent()
    offer_id: int = columns.ref("offers.id")
    version: int
    at: datetime
    headline: str = ""
    body: str = ""
    banner_id: int | None = columns.ref("banners.id", nullable=True, index=True, cascade=False)
    mode: str = CodeMode.SHARED.value
    code: str | None = None
    is_ours: bool = False
    kind: str | None = None
    value: Decimal | None = columns.money()
    currency: str | None = None
    minimum_subtotal: Decimal | None = columns.money()
    usage_limit: int | None = None
    once_per_customer: bool = True
    ends_at: datetime | None = None
    valid_days: int | None = None
    prefix: str = ""
    locks_email: bool = False
    fallback_code: str | None = None
    minimum_order: Decimal | None = columns.money()
    most_uses: int = 3


class OfferEventRow(SQLModel, table=True):
    """One step in an offer's life: published, suspended and why, changed, resumed, switched off, deleted. Never changed, never deleted."""

    __tablename__ = "offer_events"
    __table_args__ = (Index(None, "offer_id", "id"),)
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.shop_of_parent()
    offer_id: int = columns.ref("offers.id")
    at: datetime
    actor: str
    action: str
    from_state: str | None = None
    to_state: str
    reason: str | None = None
    detail: str | None = None
    version: int


class GrantRow(SQLModel, table=True):
    """
    An offer's being given to one person for one order, with the version they got.

    preparing (waits for its own code) -> live -> used | ended; live <-> suspended while the order is taken back.
    `person_key`: see `rules.grants.person_key`; no person holds two. `code`: as it is shown. `ends_at`: of a code of their own; that of
    a shared one is the store's to say.
    """

    __tablename__ = "grants"
    __table_args__ = (
        columns.one_of("state", *(state.value for state in GrantState)),
        UniqueConstraint("order_id"),
        Index("uq_grants_person", "shop_id", "person_key", unique=True, postgresql_where=HOLDING),
        Index(None, "shop_id", "person_key"),
        columns.known("email_norm"),
        columns.known("customer_platform_id"),
        Index(None, "offer_id", "granted_at"),
        columns.known("code_key"),
        Index("ix_grants_ends_at", "shop_id", "ends_at", postgresql_where=text("state in ('preparing', 'live', 'suspended')")),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    offer_id: int = columns.ref("offers.id")
    version_id: int = columns.ref("offer_versions.id", index=True)
    order_id: int | None = columns.ref("orders.id", nullable=True, cascade=False)
    state: str
    reason: str | None = None
    state_at: datetime
    granted_at: datetime
    ends_at: datetime | None = None
    person_key: str | None = None
    customer_platform_id: str | None = None
    email: str | None = None
    email_norm: str | None = None
    phone_e164: str | None = None
    first_name: str | None = None
    language: str | None = None
    code: str | None = None
    code_key: str | None = columns.folded("code")
    link_token: str = Field(unique=True)
    opened_at: datetime | None = None
    used_at: datetime | None = None
    used_order_id: int | None = columns.ref("orders.id", nullable=True, index=True, cascade=False)


class GrantDecisionRow(SQLModel, table=True):
    """Why an order did or did not earn an offer; once per order. `offer_id`: the offer that gave, or the one that came nearest to it."""

    __tablename__ = "grant_decisions"
    __table_args__ = (Index(None, "shop_id", "decided_at"),)
    order_id: int = columns.ref("orders.id", primary_key=True)
    shop_id: int = columns.shop_of_parent()
    offer_id: int | None = columns.ref("offers.id", nullable=True, index=True, cascade=False)
    reason: str
    decided_at: datetime


class GrantMailRow(SQLModel, table=True):
    """The one e-mail of a grant: queued -> sending -> sent | queued again | refused | unknown; queued -> cancelled with a reason."""

    __tablename__ = "grant_mails"
    __table_args__ = (
        columns.one_of("state", "queued", "sending", "sent", "refused", "unknown", "cancelled"),
        Index("ix_grant_mails_due", "due_at", "shop_id", postgresql_where=text("state = 'queued'")),
        Index("ix_grant_mails_sending", "lease_until", postgresql_where=text("state = 'sending'")),
    )
    grant_id: int = columns.ref("grants.id", primary_key=True)
    public_id: str = Field(unique=True)
    shop_id: int = columns.shop_of_parent()
    address: str
    state: str = "queued"
    reason: str | None = None
    detail: str | None = None
    queued_at: datetime
    due_at: datetime
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    lease_until: datetime | None = None
    handed_over_at: datetime | None = None
    clicked_at: datetime | None = None
    unsubscribe_token: str = Field(unique=True)


class OfferCodeRow(SQLModel, table=True):
    """
    A code that we make, or made, in a store. `wanted` is what should be, `actual` what the store was last known to have made of it:
    whoever works on it makes the one the other, and may do so twice.

    Roles: `shared`: the one code of an offer; `model`: heads a series of unique codes of the same terms and end, and is given to
    nobody; `unique`: one of a series (`model_id`), or, bound to an e-mail address, one alone. A unique code without a grant is the pool's.
    `platform_id`: of its discount; a unique code that was given has none until the store was asked for it by name. `refusal`: why the
    store does not take it, for good; or `used`: it was found used when it should be cleared away, and stays.
    """

    __tablename__ = "offer_codes"
    __table_args__ = (
        columns.one_of("role", "shared", "model", "unique"),
        columns.one_of("wanted", "issued", "suspended", "deleted"),
        columns.one_of("actual", "none", "issued", "suspended", "deleted", "refused"),
        Index("uq_offer_codes_code", "shop_id", text("lower(code)"), unique=True),
        columns.known("code_key"),
        Index("ix_offer_codes_due", "due_at", "shop_id", postgresql_where=UNDONE),
        Index("ix_offer_codes_due_of_shop", "shop_id", "due_at", postgresql_where=UNDONE),
        Index("ix_offer_codes_pool", "model_id", "id", postgresql_where=text("role = 'unique' and grant_id is null")),
        Index("ix_offer_codes_unread", "shop_id", "id", postgresql_where=UNREAD),
        Index("ix_offer_codes_ends", "shop_id", "ends_at", postgresql_where=HEADS),
        Index(None, "version_id", "role", "ends_at"),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    offer_id: int = columns.ref("offers.id", index=True)
    version_id: int = columns.ref("offer_versions.id")
    role: str
    model_id: int | None = columns.ref("offer_codes.id", nullable=True, index=True)
    code: str
    code_key: str | None = columns.folded("code")
    email: str | None = None
    ends_at: datetime | None = None
    wanted: str = "issued"
    actual: str = "none"
    platform_id: str | None = None
    grant_id: int | None = columns.ref("grants.id", nullable=True, index=True, cascade=False)
    refusal: str | None = None
    created_at: datetime
    changed_at: datetime
    due_at: datetime
    attempts: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))


class BannerRow(SQLModel, table=True):
    """
    A picture of a merchant for the mail and page of an offer, as we made it anew: no more than its pixels, cut to the banner's shape.

    `width` and `height`: of the file as it came, which tell whether something was cut.
    """

    __tablename__ = "banners"
    __table_args__ = (columns.one_of("content_type", "image/png", "image/jpeg", "image/webp"), Index(None, "shop_id"))
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    content_type: str
    width: int
    height: int
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime
