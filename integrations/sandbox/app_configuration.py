"""What the pretend Shopify knows of the app: its keys, addresses and webhook subscriptions, as in its configuration file."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

CLIENT_ID = "sandbox-client-id"
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - a published test value
TOPICS = (
    "app/scopes_update",
    "app/uninstalled",
    "carts/create",
    "carts/update",
    "checkouts/create",
    "checkouts/delete",
    "checkouts/update",
    "customers/create",
    "customers/delete",
    "customers/merge",
    "customers/update",
    "customers_email_marketing_consent/update",
    "customers_marketing_consent/update",
    "customers_whats_app_marketing_consent/update",
    "discounts/create",
    "discounts/delete",
    "discounts/redeemcode_added",
    "discounts/redeemcode_removed",
    "discounts/update",
    "disputes/create",
    "disputes/update",
    "inventory_levels/update",
    "orders/cancelled",
    "orders/create",
    "orders/delete",
    "orders/paid",
    "orders/updated",
    "products/create",
    "products/delete",
    "products/update",
    "shop/update",
    "variants/in_stock",
    "variants/out_of_stock",
)
SCOPES = (
    "read_customer_merge",
    "read_customers",
    "read_inventory",
    "read_orders",
    "read_products",
    "read_shopify_payments_disputes",
    "write_discounts",
)
COMPLIANCE_TOPICS = ("customers/data_request", "customers/redact", "shop/redact")


@dataclass(frozen=True, slots=True)
class Subscription:
    """Topics and the absolute address they go to."""

    topics: tuple[str, ...]
    uri: str


@dataclass(frozen=True, slots=True)
class AppConfiguration:
    """
    The registered app. `redirect_urls` are the only addresses an install may return to.

    `application_url` is what a merchant's click on the app opens: inside the admin if it `is_embedded`, else in its place.
    """

    redirect_urls: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]
    name: str = "Connector"
    scopes: tuple[str, ...] = SCOPES
    api_version: str = "2026-10"
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    application_url: str = ""
    is_embedded: bool = True

    @classmethod
    def standard(cls, origin: str) -> Self:
        """An app at `origin` that takes every topic at `/webhooks/shopify` and installs back to `/install/shopify/callback`."""
        subscription = Subscription(TOPICS + COMPLIANCE_TOPICS, f"{origin}/webhooks/shopify")
        return cls((f"{origin}/install/shopify/callback",), (subscription,), application_url=f"{origin}/embedded/shopify")

    @classmethod
    def from_toml(cls, text: str, origin: str) -> Self:
        """
        Read the text of a `shopify.app.toml`, moved to `origin`: relative addresses and those on application_url's host.

        The client id is the sandbox's own. Raises tomllib.TOMLDecodeError (a ValueError) or KeyError for a file that is none.
        """
        content: dict[str, Any] = tomllib.loads(text)
        former = content["application_url"]
        webhooks = content["webhooks"]
        return cls(
            redirect_urls=tuple(_moved(url, former, origin) for url in content["auth"]["redirect_urls"]),
            subscriptions=tuple(_subscription(entry, former, origin) for entry in webhooks["subscriptions"]),
            name=content.get("name", "Connector"),
            scopes=tuple(scope.strip() for scope in content["access_scopes"]["scopes"].split(",") if scope.strip()),
            api_version=webhooks["api_version"],
            application_url=_moved(former, former, origin),
            is_embedded=bool(content.get("embedded", True)),
        )

    def addresses(self, topic: str) -> tuple[str, ...]:
        """Where a topic is to be delivered; one delivery for each subscription that names it."""
        return tuple(one.uri for one in self.subscriptions if topic in one.topics)


def _subscription(entry: dict[str, Any], former: str, origin: str) -> Subscription:
    topics: Sequence[str] = [*entry.get("topics", ()), *entry.get("compliance_topics", ())]
    return Subscription(tuple(topics), _moved(entry["uri"], former, origin))


def _moved(url: str, former: str, origin: str) -> str:
    """A relative address is put behind the whole application_url, path included, as Shopify's own tool does."""
    absolute = urlsplit(former.rstrip("/") + url if url.startswith("/") else url)
    if absolute.netloc != urlsplit(former).netloc:
        return url
    return origin + absolute.path + (f"?{absolute.query}" if absolute.query else "")
