"""Webhook subscriptions of the shop and bulk operations, as the pretend Shopify's GraphQL reads and changes them."""

from collections.abc import Mapping
from typing import Any

from integrations.sandbox.shopify_bulk import BulkOperation
from integrations.sandbox.shopify_call import GraphCall, Resolver, user_errors
from integrations.sandbox.shopify_objects import gid, moment, number_of, paged
from integrations.sandbox.shopify_search import Json, Listing, count
from integrations.sandbox.shopify_shop import Shop
from integrations.sandbox.shopify_subscription_book import Refused, ShopSubscription

VERSION = "2026-10"
SUBSCRIPTIONS: Listing[ShopSubscription] = Listing(
    {"id": lambda one: one.id, "created_at": lambda one: one.created_at, "updated_at": lambda one: one.updated_at},
    {"CREATED_AT": lambda one: one.created_at},
    lambda one: one.id,
)
OPERATIONS: Listing[BulkOperation] = Listing(
    {
        "id": lambda one: one.id,
        "created_at": lambda one: one.created_at,
        "operation_type": lambda one: "query",
        "status": lambda one: one.status,
    },
    {"CREATED_AT": lambda one: one.created_at, "COMPLETED_AT": lambda one: moment(one.completed_at) or ""},
    lambda one: one.id,
)


def subscription_object(shop: Shop, key: str) -> Json | None:
    """A subscription by its global id."""
    found = shop.subscriptions.get(number_of(key, "WebhookSubscription"))
    return _subscription(found) if found else None


def operation_object(shop: Shop, key: str) -> Json | None:
    """A bulk operation by its global id; to ask for it brings it forward."""
    found = shop.bulk.look(number_of(key, "BulkOperation"))
    return bulk_object(found) if found else None


def bulk_object(one: BulkOperation) -> Json:
    """A bulk operation; counts are text, as all UnsignedInt64."""
    return {
        "__typename": "BulkOperation",
        "id": one.gid,
        "type": "QUERY",
        "query": one.query,
        "status": one.status,
        "errorCode": one.error_code,
        "createdAt": moment(one.created_at),
        "completedAt": moment(one.completed_at),
        "objectCount": str(one.objects),
        "rootObjectCount": str(one.roots),
        "fileSize": str(len(one.file)) if one.url or one.partial_url else None,
        "url": one.url,
        "partialDataUrl": one.partial_url,
    }


def _subscription(one: ShopSubscription) -> Json:
    return {
        "__typename": "WebhookSubscription",
        "id": gid("WebhookSubscription", one.id),
        "legacyResourceId": str(one.id),
        "topic": one.topic,
        "uri": one.uri,
        "format": one.format,
        "filter": one.filter,
        "includeFields": one.include_fields,
        "metafieldNamespaces": one.metafield_namespaces,
        "name": one.name,
        "createdAt": moment(one.created_at),
        "updatedAt": moment(one.updated_at),
        "apiVersion": {"handle": VERSION, "displayName": f"{VERSION} (Latest)", "supported": True},
    }


def _subscriptions(source: Any, info: Any, **asked: Any) -> Json:
    call: GraphCall = info.context
    found = call.search.select(SUBSCRIPTIONS, list(call.shop.subscriptions), asked.get("query"))
    if asked.get("topics"):
        found = [one for one in found if one.topic in asked["topics"]]
    if asked.get("uri"):
        found = [one for one in found if one.uri == asked["uri"]]
    if asked.get("format"):
        found = [one for one in found if one.format == asked["format"]]
    return paged(info, found, SUBSCRIPTIONS, asked, _subscription)


def _operations(source: Any, info: Any, **asked: Any) -> Json:
    call: GraphCall = info.context
    found = call.search.select(OPERATIONS, list(call.shop.bulk), asked.get("query"))
    return paged(info, found, OPERATIONS, asked, bulk_object)


def _create(source: Any, info: Any, topic: str, webhookSubscription: Json) -> Json:  # noqa: N803 - Shopify's argument
    call: GraphCall = info.context
    return _payload(call.shop.subscriptions.create(topic, webhookSubscription, call.scopes, is_protected="customer" in call.shop.withheld))


def _update(source: Any, info: Any, id: str, webhookSubscription: Json) -> Json:  # noqa: N803 - Shopify's arguments
    return _payload(info.context.shop.subscriptions.update(number_of(id, "WebhookSubscription"), webhookSubscription))


def _delete(source: Any, info: Any, id: str) -> Json:
    refused = info.context.shop.subscriptions.delete(number_of(id, "WebhookSubscription"))
    return {"deletedWebhookSubscriptionId": None if refused else id, "userErrors": _errors(refused)}


def _cancel(source: Any, info: Any, id: str) -> Json:
    number = number_of(id, "BulkOperation")
    before = next((one for one in info.context.shop.bulk if one.id == number), None)
    if before is None:
        return {"bulkOperation": None, "userErrors": user_errors([("Bulk operation does not exist", None, ("id",))])}
    if not before.is_running:
        words = f"A bulk operation cannot be canceled when it is {before.status.lower()}"
        return {"bulkOperation": bulk_object(before), "userErrors": user_errors([(words, None, None)])}
    return {"bulkOperation": bulk_object(info.context.shop.bulk.cancel(number)), "userErrors": []}


def _payload(made: ShopSubscription | Refused) -> Json:
    is_refused = isinstance(made, Refused)
    return {
        "webhookSubscription": None if isinstance(made, Refused) else _subscription(made),
        "userErrors": _errors(made if is_refused else None),
    }


def _errors(refused: Any) -> list[Json]:
    return [] if refused is None else user_errors([(refused.message, None, refused.field)])


OPERATION_ROOTS: Mapping[str, Resolver] = {
    "webhookSubscription": lambda source, info, id: subscription_object(info.context.shop, id),
    "webhookSubscriptions": _subscriptions,
    "webhookSubscriptionsCount": lambda source, info, limit=None, query=None: count(
        len(info.context.search.select(SUBSCRIPTIONS, list(info.context.shop.subscriptions), query)), limit
    ),
    "bulkOperation": lambda source, info, id: operation_object(info.context.shop, id),
    "bulkOperations": _operations,
}
OPERATION_MUTATIONS: Mapping[str, Resolver] = {
    "webhookSubscriptionCreate": _create,
    "webhookSubscriptionUpdate": _update,
    "webhookSubscriptionDelete": _delete,
    "bulkOperationCancel": _cancel,
}
