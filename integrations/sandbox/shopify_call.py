"""One running GraphQL request: whose, of which shop, and the rights that its fields need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

from integrations.sandbox.shopify_search import Search
from integrations.sandbox.shopify_shop import Shop

Resolver = Callable[..., Any]
SCOPE_PAGE = "https://shopify.dev/api/usage/access-scopes"
CUSTOMER_DATA = "https://partners.shopify.com/1/apps/1/customer_data"


@dataclass(slots=True)
class GraphCall:
    """What resolvers find as `info.context`. `is_whole`: a bulk query, whose connections have no pages."""

    shop: Shop
    scopes: tuple[str, ...]
    search: Search
    is_whole: bool = False

    def may(self, scope: str) -> bool:
        """Whether the token has a scope; one to write brings the one to read."""
        return scope in self.scopes or scope.replace("read_", "write_", 1) in self.scopes


def needs(scope: str, resolver: Resolver) -> Resolver:
    """A field that answers ACCESS_DENIED without a scope. Several may do: `read_products|read_inventory`."""
    scopes = scope.split("|")

    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        if not any(info.context.may(one) for one in scopes):
            asked = " or ".join(f"`{one}` access scope" for one in scopes)
            denied = {
                "code": "ACCESS_DENIED",
                "documentation": "https://shopify.dev/api/usage/access-scopes",
                "requiredAccess": f"{asked}.",
            }
            raise GraphQLError(f"Access denied for {info.field_name} field. Required access: {asked}.", extensions=denied)
        return resolver(source, info, **arguments)

    return resolve


def protects(group: str, thing: str, resolver: Resolver) -> Resolver:
    """A field of protected customer data: null, and an error with its path, where Shopify has not approved the app for the group."""

    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        if group in info.context.shop.withheld:
            words = f"This app is not approved to {thing}. See {CUSTOMER_DATA} for more details."
            denied = {"code": "ACCESS_DENIED", "documentation": CUSTOMER_DATA}
            raise GraphQLError(words, extensions=denied)
        return resolver(source, info, **arguments)

    return resolve


def of_source(name: str) -> Resolver:
    """The field as the object has it."""

    def resolve(source: Mapping[str, Any], info: Any, **arguments: Any) -> Any:
        value = source[name]
        return value(info, **arguments) if callable(value) else value

    return resolve


def user_errors(errors: Sequence[tuple[str, str | None, Sequence[str] | None]]) -> list[dict[str, Any]]:
    """`userErrors` of (message, code, path)."""
    return [
        {"message": message, "code": code, "field": None if path is None else list(path), "extraInfo": None}
        for message, code, path in errors
    ]
