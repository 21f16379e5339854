"""The pretend Shopify's GraphQL without a server: a shop at a time that only tests move, and calls to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations.sandbox.shopify_cost import Bucket
from integrations.sandbox.shopify_graphql import answer
from integrations.sandbox.shopify_shop import Address, Order, Shop, Shopper

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SCOPES = ("read_customers", "read_inventory", "read_orders", "read_products", "write_discounts")
MARY = Shopper("mary@example.com", "Mary", "Moss", "+12075550100", Address("Mary", "Moss", phone="207 555 0101"))


@dataclass
class GraphShop:
    """One pretend shop and its clocks: `at` is the virtual time, `seconds` what the bucket goes by."""

    at: datetime = START
    seconds: float = 0.0
    shop: Shop = field(init=False)

    def __post_init__(self) -> None:
        self.shop = Shop(lambda: self.at)
        self.shop.bucket = Bucket(2000, 100, lambda: self.seconds)

    def ask(self, query: str, scopes: tuple[str, ...] = SCOPES, /, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        return answer(self.shop, scopes, query, variables)

    def data(self, query: str, /, **variables: Any) -> Any:
        """The data of an answer without errors; the bucket is full again."""
        self.seconds += 60
        body = self.ask(query, SCOPES, **variables)
        assert "errors" not in body, body["errors"]
        return body["data"]

    def codes(self, body: Mapping[str, Any]) -> list[str]:
        """The codes of an answer's errors."""
        return [one["extensions"]["code"] for one in body["errors"]]

    def buy(self, sku: str = "CEDAR-L", quantity: int = 1, shopper: Shopper = MARY, minutes: float = 1) -> Order:
        """An order, some time later."""
        self.at += timedelta(minutes=minutes)
        checkout = self.shop.open_checkout([self.shop.find_line(sku, quantity)])
        checkout.customer, checkout.email, checkout.address = self.shop.keep_customer(shopper), shopper.email, shopper.address
        return self.shop.place_order(checkout, "paid", "bogus")
