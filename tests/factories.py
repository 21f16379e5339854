"""Records that are complete and plausible unless a test says otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connector.canonical import Checkout, Customer, LineItem, Order, PaymentState, Phone, Product, Stage, Variant
from connector.rules.abandonment import DEFAULT_MINUTES, ActivityClock
from connector.store.checkouts import Terms
from connector.store.work import LeasedShop
from tests.conftest import TestShop

T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
EMAIL = "anna.petit@example.org"


def at(minutes: float = 0, seconds: float = 0) -> datetime:
    """T0 plus so much."""
    return T0 + timedelta(minutes=minutes, seconds=seconds)


def make_line(variant: str = "101", quantity: int = 1, **changes: Any) -> LineItem:
    """One line of 12.50 a piece."""
    line = LineItem(
        key=f"k{variant}",
        title=f"Bougie {variant}",
        quantity=quantity,
        unit_price=Decimal("12.50"),
        total=Decimal("12.50") * quantity,
        product_id=f"p{variant}",
        variant_id=variant,
    )
    return replace(line, **changes)


def make_checkout(version: datetime = T0, **changes: Any) -> Checkout:
    """An open checkout of Anna's with one line."""
    checkout = Checkout(
        platform_id="tok-1",
        source_version=version,
        created_at=T0,
        currency="EUR",
        total=Decimal("12.50"),
        token="tok-1",
        email=EMAIL,
        lines=(make_line(),),
        recovery_url="https://demo.example/recover/tok-1",
    )
    return replace(checkout, **changes)


def make_cart(version: datetime = T0, **changes: Any) -> Checkout:
    """A cart that never reached the checkout page."""
    return make_checkout(
        version, platform_id="cart-1", stage=Stage.CART, token=None, cart_token="cart-1", email=None, recovery_url=None, **changes
    )


def make_order(version: datetime | None = None, **changes: Any) -> Order:
    """A paid order of Anna's, placed ten minutes after T0, that names no checkout."""
    placed = version or at(10)
    order = Order(
        platform_id="6210",
        source_version=placed,
        created_at=placed,
        placed_at=placed,
        currency="EUR",
        total=Decimal("12.50"),
        payment_state=PaymentState.PAID,
        email=EMAIL,
        lines=(make_line(),),
    )
    return replace(order, **changes)


def make_customer(version: datetime = T0, **changes: Any) -> Customer:
    """Anna."""
    customer = Customer(
        platform_id="7340",
        source_version=version,
        email=EMAIL,
        first_name="Anna",
        last_name="Petit",
        phone=Phone("06 45 67 89 01", "+33645678901"),
    )
    return replace(customer, **changes)


def make_product(version: datetime = T0, **changes: Any) -> Product:
    """What the line of `make_line()` refers to."""
    product = Product(
        platform_id="p101",
        source_version=version,
        title="Bougie Cèdre",
        category="Bougies",
        description="Coulée à la main.",
        image_url="https://cdn.example/product.jpg",
        variants=(Variant("101", image_url="https://cdn.example/variant.jpg"),),
    )
    return replace(product, **changes)


def terms(shop: TestShop) -> Terms:
    """A fresh shop's clock and threshold."""
    return LeasedShop(shop.id, 0, shop.platform, "connected", None, ActivityClock.ACTIVITY, DEFAULT_MINUTES)
