"""Stand-ins that behave: a Platform that needs no store, in both variants."""

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from connector.canonical import Checkout, Event, Headers, Order, Product, Removed, Resource, ShopProfile, Uninstalled
from connector.capabilities import Capabilities
from connector.platforms import (
    Access,
    BadSignature,
    Callback,
    Checkup,
    Codes,
    DeliveryContext,
    DeliveryMeta,
    Embedded,
    Installation,
    InstallRefused,
    InstallStart,
    KeyInstall,
    PayloadError,
    PlatformName,
    Reads,
    Subscriptions,
)

APP_SECRET = b"fake app secret"
SHOP_SECRET = b"fake shop secret"
FORM = b"application/x-www-form-urlencoded"


@dataclass
class FakePlatform:
    """
    A Platform with hex signatures and tiny JSON bodies.

    `shop_in_path` False: as Shopify, one app-wide secret and the shop in a header. True: as WooCommerce, an address and a
    secret for each shop, greeted by an unsigned ping. What calls would read is set beforehand; what was asked is noted.
    """

    shop_in_path: bool = False
    secrets: tuple[bytes, ...] = (APP_SECRET,)
    products: dict[str, Product] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    profile: ShopProfile = field(default_factory=lambda: ShopProfile("Fake shop", "EUR", "Europe/Paris", "https://fake.example/"))
    error: Exception | None = None
    calls: list[str] = field(default_factory=list)

    reads: Reads | None = None
    codes: Codes | None = None
    embedded: Embedded | None = None
    checkup: Checkup | None = None
    key_install: KeyInstall | None = None
    topics = frozenset({"checkouts/update", "checkouts/delete", "app/uninstalled"})
    compliance_topics = frozenset({"shop/redact"})
    farewell_topics = frozenset({"app/uninstalled"})

    def __post_init__(self) -> None:
        self.name: PlatformName = "woocommerce" if self.shop_in_path else "shopify"
        self.can = Capabilities(
            shop_in_path=self.shop_in_path, tracks_carts=False, has_product_reads=True, registers_webhooks=self.shop_in_path
        )

    def app_secrets(self) -> tuple[bytes, ...]:
        """The app-wide secrets; none where each shop has its own."""
        return () if self.shop_in_path else self.secrets

    def is_ping(self, headers: Headers, body: bytes) -> bool:
        """A form that names only a webhook."""
        return self.shop_in_path and headers.get(b"content-type") == FORM and body.startswith(b"webhook_id=")

    def verify(self, headers: Headers, body: bytes, secrets: Sequence[bytes], shop_key: str) -> DeliveryMeta:
        """Compare the hex signature, then believe the headers."""
        given = headers.get(b"x-shopify-hmac-sha256", b"")
        if not any(secret and hmac.compare_digest(_signature(body, secret), given) for secret in secrets):
            raise BadSignature("the signature does not match", platform=self.name, call="verify")
        topic = headers.get(b"x-shopify-topic", b"").decode("latin-1")
        shop_ref = shop_key or headers.get(b"x-shopify-shop-domain", b"").decode("latin-1")
        name = headers.get(b"x-shopify-webhook-id", b"")
        key = hashlib.sha256(b"\x1f".join((self.name.encode(), shop_ref.encode(), name))).digest()
        return DeliveryMeta(topic, shop_ref, key, _instant(headers.get(b"x-shopify-triggered-at", b"")))

    def parse(self, context: DeliveryContext, body: bytes) -> list[Event]:
        """`{"id", "at", "currency", "total", "email"}` as a Checkout, or what the topic says of it."""
        if context.topic == "app/uninstalled":
            return [Uninstalled(context.at)]
        try:
            found = json.loads(body, parse_float=Decimal)
            if context.topic == "checkouts/delete":
                return [Removed(Resource.CHECKOUT, context.at, str(found["id"]))]
            at = datetime.fromisoformat(found["at"]).astimezone(UTC)
            return [Checkout(str(found["id"]), at, at, str(found["currency"]), Decimal(found["total"]), email=found.get("email"))]
        except (ValueError, KeyError, TypeError, InvalidOperation, RecursionError) as error:
            raise PayloadError("the body makes no sense", platform=self.name, reason="fields") from error

    def begin_install(
        self, query: Sequence[tuple[str, str]], state: str, callback_url: str, return_url: str, now: datetime
    ) -> InstallStart:
        """Send the browser to `https://{shop}/grant`. Refused without a shop."""
        shop = dict(query).get("shop")
        if not shop:
            raise InstallRefused("which shop?", platform=self.name, call="install")
        return InstallStart(f"https://{shop}/grant?state={state}&back={callback_url}", {"shop": shop})

    def finish_install(
        self, callback: Callback, remembered: Mapping[str, str], state: str, callback_url: str, now: datetime
    ) -> Installation:
        """Proven if the callback repeats the state."""
        self._call("finish_install")
        if dict(callback.query).get("state") != state:
            raise InstallRefused("the state is another one", platform=self.name, call="install")
        return Installation(remembered["shop"], {"token": "fake token"}, ("read_orders",), (), self.profile)

    def subscribe(self, access: Access, address: str, secret: str, silent: Collection[str] = ()) -> Subscriptions:
        """Everything is there after the first time."""
        first = not any(call.startswith("subscribe") for call in self.calls)
        self._call(f"subscribe {address}")
        topics = tuple(sorted(self.topics))
        return Subscriptions((), topics) if first else Subscriptions(topics, ())

    def refresh(self, access: Access, now: datetime, *, is_refused: bool = False) -> Mapping[str, str] | None:
        """Credentials live for ever."""
        self._call("refresh")
        return None

    def read_products(self, access: Access, ids: Sequence[str]) -> list[Product]:
        """Those of `products`; others are gone."""
        self._call(f"read_products {' '.join(ids)}")
        gone = datetime(2026, 1, 1, tzinfo=UTC)
        return [self.products.get(one) or Product(one, gone, "", is_deleted=True) for one in ids]

    def read_orders_since(self, access: Access, since: datetime) -> list[Order]:
        """Those of `orders`, oldest first."""
        self._call(f"read_orders_since {since.isoformat()}")
        return sorted((order for order in self.orders if order.source_version >= since), key=lambda order: order.source_version)

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if self.error is not None:
            raise self.error


def sign(
    body: bytes,
    secret: bytes = APP_SECRET,
    *,
    topic: str = "checkouts/update",
    shop: str = "fake.myshopify.com",
    delivery: str = "delivery-1",
    triggered_at: str = "2026-11-21T10:15:30Z",
) -> dict[bytes, bytes]:
    """The headers of a genuine delivery to either kind of FakePlatform."""
    return {
        b"content-type": b"application/json",
        b"x-shopify-topic": topic.encode("latin-1"),
        b"x-shopify-shop-domain": shop.encode("latin-1"),
        b"x-shopify-webhook-id": delivery.encode(),
        b"x-shopify-triggered-at": triggered_at.encode(),
        b"x-shopify-hmac-sha256": _signature(body, secret),
    }


def _signature(body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, body, "sha256").hex().encode()


def _instant(raw: bytes) -> datetime | None:
    try:
        instant = datetime.fromisoformat(raw.decode("ascii"))
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None
