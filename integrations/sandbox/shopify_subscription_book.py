"""
The webhook subscriptions that an app made for this shop alone, through the API.

Those of the app's configuration are not among them, as on Shopify. After eight failures one after the other Shopify takes such a
subscription away. Source: shopify.dev, "Verify webhook deliveries", "Manage webhook subscriptions".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FAILURES_TO_REMOVAL = 8
SCOPES: Mapping[str, str] = {
    "CARTS": "read_orders",
    "CHECKOUTS": "read_orders",
    "CUSTOMERS": "read_customers",
    "CUSTOMERS_MERGE": "read_customer_merge",
    "DISCOUNTS": "read_discounts",
    "DISPUTES": "read_shopify_payments_disputes",
    "INVENTORY": "read_inventory",
    "ORDERS": "read_orders",
    "PRODUCTS": "read_products",
    "VARIANTS": "read_products",
}
"""What a topic needs, by how it begins; the longest counts."""
PROTECTED = (
    *("CARTS_", "CHECKOUTS_CREATE", "CHECKOUTS_UPDATE", "ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_PAID", "ORDERS_CANCELLED"),
    *("CUSTOMERS_CREATE", "CUSTOMERS_UPDATE", "CUSTOMERS_PURCHASING", "CUSTOMERS_EMAIL", "CUSTOMERS_MARKETING", "CUSTOMERS_WHATS"),
)
"""How the topics begin that carry protected customer data."""


@dataclass(slots=True)
class ShopSubscription:
    """One subscription; `topic` in GraphQL's spelling (`CHECKOUTS_UPDATE`), `failures` one after the other."""

    id: int
    topic: str
    uri: str
    created_at: datetime
    updated_at: datetime
    format: str = "JSON"
    filter: str | None = None
    include_fields: list[str] = field(default_factory=list)
    metafield_namespaces: list[str] = field(default_factory=list)
    name: str | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A user error without a code, as these mutations have it."""

    message: str
    field: tuple[str, ...] | None = None


class SubscriptionBook:
    """All of them, in the order they were made. The caller holds the shop's lock."""

    def __init__(self, now: Callable[[], datetime], numbers: Iterator[int]) -> None:
        self.unapproved: set[str] = set()
        """Topics (`orders/create`) that need an approval which the app has not got."""
        self.removed: list[ShopSubscription] = []
        """Those that Shopify took away after failures."""
        self._now = now
        self._numbers = numbers
        self._rows: dict[int, ShopSubscription] = {}

    def __iter__(self) -> Iterator[ShopSubscription]:
        return iter(list(self._rows.values()))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, number: int) -> ShopSubscription | None:
        """The one with this number."""
        return self._rows.get(number)

    def of(self, topic: str) -> list[ShopSubscription]:
        """Those of a topic as webhooks spell it (`checkouts/update`)."""
        return [one for one in self._rows.values() if one.topic == spelt(topic)]

    def addresses(self, topic: str) -> list[tuple[str, str | None]]:
        """Where a topic (`checkouts/update`) goes besides, with the name that its deliveries carry."""
        return [(one.uri, one.name) for one in self.of(topic)]

    def create(
        self, topic: str, wanted: Mapping[str, Any], scopes: tuple[str, ...] = (), is_protected: bool = False
    ) -> ShopSubscription | Refused:
        """
        Make one of GraphQL's input; a ShopSubscription or what is wrong (Refused).

        `is_protected`: topics with customer data are withheld from this app.
        """
        refused = self._why_not(topic, wanted, scopes, is_protected)
        if refused is not None:
            return refused
        now = self._now()
        one = ShopSubscription(next(self._numbers), topic, str(wanted["uri"]), now, now)
        _change(one, wanted)
        self._rows[one.id] = one
        return one

    def update(self, number: int, wanted: Mapping[str, Any]) -> ShopSubscription | Refused:
        """Change one; the changed one or Refused."""
        one = self._rows.get(number)
        if one is None:
            return Refused("Webhook subscription does not exist", ("id",))
        if "uri" in wanted and not _is_address(str(wanted["uri"])):
            return Refused("Address is invalid", ("webhookSubscription", "callbackUrl"))
        _change(one, wanted)
        one.updated_at = self._now()
        return one

    def delete(self, number: int) -> Refused | None:
        """Take one away."""
        if self._rows.pop(number, None) is None:
            return Refused("Webhook subscription does not exist", ("id",))
        return None

    def failed(self, number: int) -> None:
        """A delivery to this one was not taken; after eight one after the other it is gone."""
        one = self._rows.get(number)
        if one is None:
            return
        one.failures += 1
        if one.failures >= FAILURES_TO_REMOVAL:
            self.removed.append(self._rows.pop(number))

    def delivered(self, number: int) -> None:
        """A delivery to this one was taken: its failures are forgotten."""
        if number in self._rows:
            self._rows[number].failures = 0

    def clear(self) -> None:
        """The app was uninstalled."""
        self._rows.clear()

    def _why_not(self, topic: str, wanted: Mapping[str, Any], scopes: tuple[str, ...], is_protected: bool) -> Refused | None:
        needed = _scope(topic)
        if needed and not {needed, needed.replace("read_", "write_")} & set(scopes):
            return Refused(f"You do not have permission to create or update webhooks with {topic.lower()} topic", ("topic",))
        if topic in {spelt(one) for one in self.unapproved} or (is_protected and topic.startswith(PROTECTED)):
            return Refused(
                "This app is not approved to subscribe to webhook topics containing protected customer data. "
                "See https://shopify.dev/docs/apps/launch/protected-customer-data for more details.",
                ("topic",),
            )
        uri = str(wanted.get("uri") or "")
        if not _is_address(uri):
            return Refused("Address is invalid", ("webhookSubscription", "callbackUrl"))
        if any(one.topic == topic and one.uri == uri for one in self._rows.values()):
            return Refused("Address for this topic has already been taken", ("webhookSubscription", "callbackUrl"))
        return None


def spelt(topic: str) -> str:
    """`checkouts/update` as GraphQL spells it."""
    return topic.replace("/", "_").upper()


def _scope(topic: str) -> str | None:
    return next((SCOPES[start] for start in sorted(SCOPES, key=len, reverse=True) if topic.startswith(start)), None)


def _is_address(uri: str) -> bool:
    return uri.startswith(("https://", "arn:aws:events:", "pubsub://"))


def _change(one: ShopSubscription, wanted: Mapping[str, Any]) -> None:
    one.uri = str(wanted.get("uri") or one.uri)
    one.format = wanted.get("format") or one.format
    one.filter = wanted.get("filter", one.filter)
    one.name = wanted.get("name", one.name)
    one.include_fields = list(wanted.get("includeFields", one.include_fields) or ())
    one.metafield_namespaces = list(wanted.get("metafieldNamespaces", one.metafield_namespaces) or ())
