"""The pretend Shopify's schema: the needed part of the Admin API 2026-10, with what answers each of its fields."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    IntValueNode,
    StringValueNode,
    ValueNode,
    build_schema,
    parse,
    validate,
)

from integrations.sandbox.shopify_bulk_query import run_bulk_query
from integrations.sandbox.shopify_call import Resolver, needs, of_source, protects
from integrations.sandbox.shopify_discounts import DISCOUNT_MUTATIONS
from integrations.sandbox.shopify_operations import OPERATION_MUTATIONS
from integrations.sandbox.shopify_resolvers import ROOTS

SDL = Path(__file__).parent / "shopify_admin.graphql"
_USE = "use the {} field"
_PROTECTED = {
    "name": ["Customer.firstName", "Customer.lastName", "MailingAddress.firstName", "MailingAddress.lastName", "MailingAddress.name"],
    "email": ["Customer.defaultEmailAddress", "Order.email"],
    "phone": ["Customer.defaultPhoneNumber", "MailingAddress.phone", "Order.phone"],
    "address": [f"MailingAddress.{name}" for name in ("address1", "address2", "city", "zip", "latitude", "longitude")],
}
"""Nullable fields that need Shopify's approval, by group; level 1 (`customer`) hides the whole record."""
_PEOPLE = ("Order.customer", "AbandonedCheckout.customer", "QueryRoot.customer", "QueryRoot.customers", "QueryRoot.customersCount")
_NEED_SCOPES = {
    "read_customers": ["Order.customer", "AbandonedCheckout.customer"],
    "read_products": ["LineItem.product", "LineItem.variant", "AbandonedCheckoutLineItem.product", "AbandonedCheckoutLineItem.variant"],
    "read_products|read_inventory": ["ProductVariant.inventoryItem"],
}


@cache
def admin_schema() -> GraphQLSchema:
    """The schema, ready to be executed with a GraphCall as context."""
    schema = build_schema(SDL.read_text())
    mutations = {**DISCOUNT_MUTATIONS, **OPERATION_MUTATIONS, "bulkOperationRunQuery": run_bulk_query(admin_schema)}
    for owner, resolvers in (("QueryRoot", ROOTS), ("Mutation", mutations)):
        for name, field in _fields(schema, owner).items():
            field.resolve = resolvers[name]
    for scope, places in _NEED_SCOPES.items():
        for place in places:
            _wrap(schema, place, lambda inner, scope=scope: needs(scope, inner))
    for group, places in _PROTECTED.items():
        for place in places:
            thing = _USE.format(place.partition(".")[2])
            _wrap(schema, place, lambda inner, group=group, thing=thing: protects(group, thing, inner))
    for place in _PEOPLE:
        _wrap(schema, place, lambda inner: protects("customer", "access the Customer object", inner))
    _teach_scalars(schema)
    return schema


@lru_cache(maxsize=256)
def read_document(query: str) -> tuple[DocumentNode, list[GraphQLError]]:
    """A query parsed, and what is wrong with it. Raises GraphQLSyntaxError."""
    document = parse(query, max_tokens=10_000)
    return document, validate(admin_schema(), document)


def _fields(schema: GraphQLSchema, owner: str) -> Mapping[str, GraphQLField]:
    kind = schema.type_map[owner]
    assert isinstance(kind, GraphQLObjectType)
    fields: Mapping[str, GraphQLField] = kind.fields
    return fields


def _wrap(schema: GraphQLSchema, place: str, wrap: Any) -> None:
    owner, _, name = place.partition(".")
    field = _fields(schema, owner)[name]
    inner: Resolver = field.resolve or of_source(name)
    field.resolve = wrap(inner)


def _teach_scalars(schema: GraphQLSchema) -> None:
    readers = {"DateTime": _instant, "Decimal": _decimal, "UnsignedInt64": _count, "URL": _url}
    for name, reader in readers.items():
        scalar = schema.type_map[name]
        assert isinstance(scalar, GraphQLScalarType)
        scalar.parse_value = reader  # type: ignore[method-assign]
        scalar.parse_literal = _literal(reader)  # type: ignore[method-assign]


def _literal(reader: Any) -> Any:
    def read(node: ValueNode, variables: Any = None) -> Any:
        if isinstance(node, StringValueNode | IntValueNode) or hasattr(node, "value"):
            return reader(node.value)
        raise GraphQLError("Expected a scalar value.")

    return read


def _instant(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise GraphQLError(f"Invalid DateTime: {value}") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise GraphQLError(f"Invalid Decimal: {value}") from None


def _count(value: Any) -> int:
    if not str(value).isdigit():
        raise GraphQLError(f"Invalid UnsignedInt64: {value}")
    return int(value)


def _url(value: Any) -> str:
    if "://" not in str(value):
        raise GraphQLError(f"Invalid URL: {value}")
    return str(value)
