"""
A shop's own webhook subscriptions, which stand in for those of the app's configuration where these are not heard.

What shopify.app.toml subscribes, Shopify neither lists nor ever removes. What is made here it lists, and removes after eight failures in
a row and at an uninstall. Deliveries of the latter carry their name in `X-Shopify-Name`, so that both can be told apart.
Source: shopify.dev, "Manage webhook subscriptions", 2026-10.
"""

from collections.abc import Collection, Iterator

import msgspec
import structlog

from connector.platforms import Access, NotPermitted, PlatformError, Rejected, Subscriptions, TransientError
from integrations.shopify.answers import PLATFORM
from integrations.shopify.client import Client
from integrations.shopify.queries_subscriptions import CREATE_SUBSCRIPTION, DELETE_SUBSCRIPTION, LIST_SUBSCRIPTIONS

NAME = "connector-fallback"
MARK = f"x-shopify-name: {NAME}"
"""The line of a delivery's headers that says that it came by one of these."""
MOST_PAGES = 50
PROTECTED = (
    "Shopify has not approved this app for protected customer data, so it does not send {topic}: "
    "request access in the Partner Dashboard, under API access"
)

log = structlog.get_logger()


class SubscriptionNode(msgspec.Struct, rename="camel"):
    """One subscription that this shop has for our app."""

    id: str
    topic: str
    uri: str
    filter: str | None = None
    include_fields: list[str] | None = None
    name: str | None = None

    @property
    def is_whole(self) -> bool:
        """Made by us, and delivers everything: a filter may silence a topic for good."""
        return self.name == NAME and not self.filter and not self.include_fields


class PageInfo(msgspec.Struct, rename="camel"):
    """Whether there are more, and where."""

    has_next_page: bool
    end_cursor: str | None = None


class SubscriptionPage(msgspec.Struct, rename="camel"):
    """One page of subscriptions."""

    nodes: list[SubscriptionNode]
    page_info: PageInfo


class SubscriptionsAnswer(msgspec.Struct, rename="camel"):
    """`WebhookSubscriptions`."""

    webhook_subscriptions: SubscriptionPage


class Made(msgspec.Struct):
    """A subscription that was just made."""

    id: str


class CreateOutcome(msgspec.Struct, rename="camel"):
    """`CreateWebhookSubscription`."""

    webhook_subscription: Made


class DeleteOutcome(msgspec.Struct, rename="camel"):
    """`DeleteWebhookSubscription`."""

    deleted_webhook_subscription_id: str | None = None


def subscribe(client: Client, access: Access, address: str, silent: Collection[str], known: Collection[str]) -> Subscriptions:
    """
    Have exactly the `silent` ones of the `known` topics subscribed for this shop alone, once each; idempotent.

    Others at our address are taken away: they would deliver everything twice for ever. A topic that Shopify refuses does not keep the
    others from being subscribed; its reason is told. Raises PlatformError if Shopify cannot be asked.
    """
    wanted = {_enum(topic): topic for topic in sorted(silent) if topic in known}
    names = {_enum(topic): topic for topic in known}
    present: list[str] = []
    removed: list[str] = []
    for node in [one for one in _listed(client, access) if one.uri == address]:
        topic = names.get(node.topic, node.topic)
        if node.is_whole and node.topic in wanted and topic not in present:
            present.append(topic)
        else:
            _delete(client, access, node.id)
            removed.append(topic)
    created: list[str] = []
    refused: dict[str, str] = {}
    for enum, topic in wanted.items():
        if topic in present:
            continue
        try:
            _create(client, access, enum, address)
        except (Rejected, NotPermitted) as error:
            refused[topic] = _words(topic, error)
        else:
            created.append(topic)
    if refused:
        # Somebody else may have been faster, and then Shopify says that the address is taken.
        there = {one.topic for one in _listed(client, access) if one.uri == address and one.is_whole}
        present += [topic for topic in refused if _enum(topic) in there]
        refused = {topic: words for topic, words in refused.items() if _enum(topic) not in there}
    for topic, words in refused.items():
        log.warning("shopify.topic_refused", shop_id=access.shop_id, topic=topic, words=words)
    return Subscriptions(tuple(sorted(present)), tuple(created), tuple(sorted(removed)), tuple(refused.items()))


def _enum(topic: str) -> str:
    """A topic as GraphQL names it: `checkouts/update` is CHECKOUTS_UPDATE."""
    return topic.replace("/", "_").upper()


def _listed(client: Client, access: Access) -> Iterator[SubscriptionNode]:
    after: str | None = None
    for _ in range(MOST_PAGES):
        reply = client.query(access, "subscriptions", LIST_SUBSCRIPTIONS, {"after": after}, SubscriptionsAnswer)
        page = reply.data.webhook_subscriptions
        yield from page.nodes
        if not page.page_info.has_next_page:
            return
        if page.page_info.end_cursor in (None, after):
            break
        after = page.page_info.end_cursor
    raise TransientError("unreadable answer: its pages lead nowhere", platform=PLATFORM, call="subscriptions", status=200)


def _create(client: Client, access: Access, topic: str, address: str) -> None:
    variables = {"topic": topic, "sub": {"uri": address, "format": "JSON", "name": NAME}}
    client.mutate(access, "subscribe", CREATE_SUBSCRIPTION, variables, CreateOutcome, "webhookSubscriptionCreate")


def _delete(client: Client, access: Access, gid: str) -> None:
    try:
        client.mutate(access, "unsubscribe", DELETE_SUBSCRIPTION, {"id": gid}, DeleteOutcome, "webhookSubscriptionDelete")
    except Rejected as error:
        # Gone already: Shopify or somebody else was faster.
        log.info("shopify.not_unsubscribed", shop_id=access.shop_id, words=str(error))


def _words(topic: str, error: PlatformError) -> str:
    """Why a topic was refused, so that somebody can do something about it."""
    said = str(error)
    return PROTECTED.format(topic=topic) if "protected customer data" in said.lower() else f"{topic}: {said}"
