"""
The rows of shops and what shops hold. One SQLModel per table; migrations add policies, partitions, functions.

`table=True` models do not validate, so only validated canonical records reach them. Keys are bigint inside; `public_id` is
the prefixed UUIDv7 that the outside sees. Money is numeric beside its currency; times are timestamptz.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, LargeBinary, SmallInteger, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from connector.store import columns


class AccountRow(SQLModel, table=True):
    """A merchant organisation."""

    __tablename__ = "accounts"
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    name: str
    created_at: datetime


class ShopRow(SQLModel, table=True):
    """
    One merchant's installed store, with sealed credentials.

    `stranger_host`: another address that spoke in its name last, a copy of the store or the store after a move, and when.
    `storefront`: whether shoppers can buy there, as it was when `profile_read_at` it was asked last.
    """

    __tablename__ = "shops"
    __table_args__ = (
        UniqueConstraint("platform", "domain"),
        columns.one_of("state", "connected", "needs_sign_in", "uninstalled"),
        columns.one_of("activity_clock", "activity", "addition"),
        columns.one_of("storefront", "open", "password", "frozen"),
        CheckConstraint("threshold_minutes between 20 and 2880", name="threshold"),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    account_id: int = columns.ref("accounts.id", index=True)
    platform: str
    domain: str
    platform_shop_id: str | None = None
    shop_key: str = Field(unique=True)
    state: str = "connected"
    name: str
    url: str
    hosts: list[str] = columns.texts()
    currency: str
    timezone: str
    language: str | None = None
    country: str | None = None
    taxes_included: bool = False
    contact_email: str | None = None
    contact_address: str | None = None
    scopes: list[str] = columns.texts()
    missing_scopes: list[str] = columns.texts()
    scopes_at: datetime | None = None
    credentials: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    webhook_secret: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    credentials_at: datetime | None = None
    withheld: list[str] = columns.texts()
    listened_at: datetime | None = None
    stranger_host: str | None = None
    stranger_at: datetime | None = None
    storefront: str = Field(default="open", sa_column_kwargs={"server_default": "open"})
    profile_read_at: datetime | None = None
    threshold_minutes: int = 60
    activity_clock: str = "activity"
    installed_at: datetime
    uninstalled_at: datetime | None = None
    redacted_at: datetime | None = None
    created_at: datetime


class ShopWorkRow(SQLModel, table=True):
    """The lease of a shop's inbox: at most one drain at a time holds this row's lock."""

    __tablename__ = "shop_work"
    shop_id: int = columns.ref("shops.id", primary_key=True)
    drained_at: datetime | None = None


class PendingInstallRow(SQLModel, table=True):
    """
    An install between its first redirect and its callback; state and browser are kept as keyed hashes, once.

    `account_id`: the account of the member who began it, for the shop to join.
    """

    __tablename__ = "pending_installs"
    state_hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    browser_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    platform: str
    remembered: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime
    finished_shop_id: int | None = columns.ref("shops.id", nullable=True)
    account_id: int | None = columns.ref("accounts.id", nullable=True)


class CompanyRow(SQLModel, table=True):
    """An organisation that contacts of an account belong to (AC-50), known by its name."""

    __tablename__ = "companies"
    __table_args__ = (UniqueConstraint("account_id", "name"),)
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    account_id: int = columns.ref("accounts.id")
    name: str


class ContactRow(SQLModel, table=True):
    """The same person across an account's shops; a known field is never emptied. `known_at`: field -> instant it was said."""

    __tablename__ = "contacts"
    __table_args__ = (UniqueConstraint("account_id", "email"),)
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    account_id: int = columns.ref("accounts.id")
    email: str
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    company_id: int | None = columns.ref("companies.id", nullable=True, index=True, cascade=False)
    phone_raw: str | None = None
    phone_e164: str | None = None
    language: str | None = None
    known_at: dict[str, str] = columns.json("{}")


class CustomerRow(SQLModel, table=True):
    """A person in one shop, as the shop has them."""

    __tablename__ = "customers"
    __table_args__ = (UniqueConstraint("shop_id", "platform_id"), Index(None, "shop_id", "email_norm"))
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    platform_id: str
    contact_id: int | None = columns.ref("contacts.id", nullable=True, index=True, cascade=False)
    email: str | None = None
    email_norm: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone_raw: str | None = None
    phone_e164: str | None = None
    country: str | None = None
    language: str | None = None
    created_at: datetime | None = None
    deleted_at: datetime | None = None
    source_version: datetime
    source_triggered_at: datetime
    source_progress: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    source_digest: str


class ProductRow(SQLModel, table=True):
    """A product, read when a line refers to it."""

    __tablename__ = "products"
    __table_args__ = (UniqueConstraint("shop_id", "platform_id"),)
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    platform_id: str
    title: str
    category: str | None = None
    categories: list[str] = columns.texts()
    description: str | None = None
    image_url: str | None = None
    url: str | None = None
    is_deleted: bool = False
    read_at: datetime
    source_version: datetime


class ProductVariantRow(SQLModel, table=True):
    """One buyable form of a product."""

    __tablename__ = "product_variants"
    __table_args__ = (UniqueConstraint("shop_id", "platform_id"), columns.known("inventory_item_id"))
    id: int | None = columns.key()
    shop_id: int = columns.ref("shops.id")
    product_id: int = columns.ref("products.id", index=True)
    platform_id: str
    title: str | None = None
    sku: str | None = None
    price: Decimal | None = columns.money()
    image_url: str | None = None
    is_available: bool | None = None
    inventory_item_id: str | None = None


class CheckoutRow(SQLModel, table=True):
    """
    A started purchase.

    `lines_digest` tells whether the lines of a newer version are other ones, without reading them. From `last_activity_at` on the
    columns are derived from all versions and orders seen, and so do not depend on the order of deliveries; `abandoned_at` is
    written once, when the clock ran out. `is_quiet`: what it is now only a sync told, so nothing begins because of it.
    """

    __tablename__ = "checkouts"
    __table_args__ = (
        UniqueConstraint("shop_id", "stage", "platform_id"),
        columns.one_of("stage", "cart", "checkout"),
        columns.known("token"),
        columns.known("cart_token"),
        columns.known("number"),
        columns.known("email_norm"),
        columns.known("customer_platform_id"),
        columns.known("phone_e164"),
        columns.known("checkout_phone_e164"),
        columns.known("abandoned_at"),
        Index(None, "shop_id", "created_at", "id"),
        Index("ix_checkouts_due", "due_at", "id", postgresql_where=text("due_at is not null")),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    platform_id: str
    stage: str
    token: str | None = None
    cart_token: str | None = None
    number: str | None = None
    customer_platform_id: str | None = None
    email: str | None = None
    email_norm: str | None = None
    phone_raw: str | None = None
    phone_e164: str | None = None
    checkout_phone_raw: str | None = None
    checkout_phone_e164: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    country: str | None = None
    language: str | None = None
    currency: str
    total: Decimal = columns.money(nullable=False)
    subtotal: Decimal | None = columns.money()
    discount_total: Decimal | None = columns.money()
    tax_total: Decimal | None = columns.money()
    taxes_included: bool = False
    shipping_method: str | None = None
    discount_codes: list[str] = columns.texts()
    accepts_email: bool = False
    accepts_sms: bool = False
    recovery_url: str | None = None
    created_at: datetime
    completed_at: datetime | None = None
    closed_at: datetime | None = None
    deleted_at: datetime | None = None
    source_version: datetime
    source_triggered_at: datetime
    source_progress: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    source_digest: str
    line_count: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    lines_digest: str | None = None
    is_quiet: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    last_activity_at: datetime | None = None
    due_at: datetime | None = None
    abandoned_at: datetime | None = None
    converted_order_id: int | None = columns.ref("orders.id", nullable=True, index=True, cascade=False)
    converted_at: datetime | None = None
    converted_by: str | None = None


class CheckoutLineRow(SQLModel, table=True):
    """One line of a checkout, replaced as a whole by a newer version."""

    __tablename__ = "checkout_lines"
    checkout_id: int = columns.ref("checkouts.id", primary_key=True)
    position: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    shop_id: int = columns.shop_of_parent()
    key: str
    product_id: str | None = None
    variant_id: str | None = None
    title: str
    variant_title: str | None = None
    sku: str | None = None
    quantity: int
    unit_price: Decimal = columns.money(nullable=False)
    total: Decimal = columns.money(nullable=False)
    image_url: str | None = None


class CheckoutVersionRow(SQLModel, table=True):
    """
    One version of a checkout that was seen: what T0 is computed from, whatever the order of deliveries.

    No reference to its checkout, whose check would cost half as much as the row: a trigger on `checkouts` deletes what goes with it.
    """

    __tablename__ = "checkout_versions"
    checkout_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    source_version: datetime = Field(primary_key=True)
    source_digest: str = Field(primary_key=True)
    source_triggered_at: datetime
    source_progress: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    shop_id: int = columns.shop_of_parent()
    fingerprint: str
    quantities: dict[str, int] = columns.json("{}")


class OrderRow(SQLModel, table=True):
    """
    A placed purchase; `placed_at` and `paid_at` are the earliest that any version told.

    `is_disputed`: a chargeback is open or lost, as somebody said who knew at `disputed_at`. `is_quiet`: only a sync ever told of it, so
    nothing is given for it.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("shop_id", "platform_id"),
        columns.known("checkout_token"),
        columns.known("cart_token"),
        columns.known("number"),
        columns.known("email_norm"),
        columns.known("customer_platform_id"),
        columns.known("phone_e164"),
        Index("ix_orders_with_codes", "shop_id", "placed_at", postgresql_where=text("discount_codes <> '{}'")),
    )
    id: int | None = columns.key()
    public_id: str = Field(unique=True)
    shop_id: int = columns.ref("shops.id")
    platform_id: str
    number: str | None = None
    platform_status: str | None = None
    payment_state: str
    checkout_token: str | None = None
    cart_token: str | None = None
    customer_platform_id: str | None = None
    email: str | None = None
    email_norm: str | None = None
    phone_raw: str | None = None
    phone_e164: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = None
    language: str | None = None
    currency: str
    total: Decimal = columns.money(nullable=False)
    subtotal: Decimal | None = columns.money()
    discount_total: Decimal | None = columns.money()
    tax_total: Decimal | None = columns.money()
    taxes_included: bool = False
    discount_codes: list[str] = columns.texts()
    is_test: bool = False
    created_at: datetime
    placed_at: datetime
    paid_at: datetime | None = None
    refunded_total: Decimal | None = columns.money()
    is_disputed: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    disputed_at: datetime | None = None
    cancelled_at: datetime | None = None
    deleted_at: datetime | None = None
    source_version: datetime
    source_triggered_at: datetime
    source_progress: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    source_digest: str
    is_quiet: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})


class OrderLineRow(SQLModel, table=True):
    """One line of an order."""

    __tablename__ = "order_lines"
    order_id: int = columns.ref("orders.id", primary_key=True)
    position: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    shop_id: int = columns.shop_of_parent()
    key: str
    product_id: str | None = None
    variant_id: str | None = None
    title: str
    variant_title: str | None = None
    sku: str | None = None
    quantity: int
    unit_price: Decimal = columns.money(nullable=False)
    total: Decimal = columns.money(nullable=False)
    image_url: str | None = None


class RemovalRow(SQLModel, table=True):
    """A record said to be gone, kept so that a late delivery of it changes nothing. `ref`: `id:…` or `cart:…`."""

    __tablename__ = "removals"
    shop_id: int = columns.ref("shops.id", primary_key=True)
    resource: str = Field(primary_key=True)
    ref: str = Field(primary_key=True)
    at: datetime
