"""Bodies of the topics beside checkouts, orders and customers, with the fields of a story filled in; and a platform that is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.canonical import Order, Resource, ShopProfile
from connector.codes import CodeState, DiscountCode, IssuedCodes
from connector.platforms import Access
from connector.reading import Change, Count, Export, LineNow, Page
from tests.sync.bodies import dump, template, zulu

EMAIL_TOPIC = "customers_email_marketing_consent/update"


def merge_body(merged: int, kept: int, status: str = "completed") -> bytes:
    """`customers/merge`."""
    body = template("shopify", "customers_merge__completed")
    gids = {"kept": f"gid://shopify/Customer/{kept}", "deleted": f"gid://shopify/Customer/{merged}"}
    return dump(body | {f"admin_graphql_api_customer_{which}_id": gid for which, gid in gids.items()} | {"status": status})


def consent_body(customer: int, email: str, state: str | None, at: datetime | None) -> bytes:
    """`customers_email_marketing_consent/update`."""
    words = {"state": state, "opt_in_level": None, "consent_updated_at": zulu(at) if at else None}
    return dump({"customer_id": customer, "email_address": email, "email_marketing_consent": words})


def number_body(topic: str, customer: int, phone: str | None, state: str | None, at: datetime) -> bytes:
    """The consent topics of SMS and of WhatsApp."""
    if "whats_app" in topic:
        words = {"state": state, "opt_in_level": None, "updated_at": zulu(at), "collected_from": "OTHER"}
        return dump({"customer_id": customer, "phone_number": phone, "whats_app_marketing_consent": words})
    words = {"state": state, "opt_in_level": None, "consent_updated_at": zulu(at), "consent_collected_from": "other"}
    return dump({"id": customer, "phone": phone, "sms_marketing_consent": words})


def product_body(number: int) -> bytes:
    """`products/create` and `products/update`."""
    gid = f"gid://shopify/Product/{number}"
    return dump(template("shopify", "products_create__one_variant") | {"id": number, "admin_graphql_api_id": gid})


def variant_body(product: int) -> bytes:
    """`variants/in_stock` and `variants/out_of_stock`."""
    return dump(template("shopify", "variants_out_of_stock__gone") | {"product_id": product})


def stock_body(item: int) -> bytes:
    """`inventory_levels/update`."""
    return dump(template("shopify", "inventory_levels_update__sold") | {"inventory_item_id": item})


def discount_body(number: int, *, deleted_at: datetime | None = None, code: str | None = None) -> bytes:
    """`discounts/*`."""
    name = "discounts_delete__code" if deleted_at else "discounts_redeemcode_removed__one" if code else "discounts_update__expired"
    body = template("shopify", name) | {"admin_graphql_api_id": f"gid://shopify/DiscountCodeNode/{number}"}
    return dump(body)


def scopes_body(*current: str) -> bytes:
    """`app/scopes_update`."""
    return dump(template("shopify", "app_scopes_update__one_taken_away") | {"current": list(current)})


@dataclass
class FakeReads:
    """A store to be read: what it holds is set beforehand; what was asked is noted. Everything else is not asked by who uses it."""

    profile: ShopProfile
    records: dict[tuple[Resource, str], Change] = field(default_factory=dict)
    errors: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    while_asked: Any = None

    def record_now(self, access: Access, what: Resource, platform_id: str) -> Change | None:
        """What is held, or the error set for this id."""
        self._ask(f"{what.value} {platform_id}", platform_id)
        return self.records.get((what, platform_id))

    def shop_now(self, access: Access) -> ShopProfile:
        """The profile."""
        self._ask("shop", "shop")
        return self.profile

    def _ask(self, what: str, key: str) -> None:
        self.asked.append(what)
        if self.while_asked is not None:
            self.while_asked()
        if error := self.errors.get(key):
            raise error

    def changes(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Page:
        """Not asked here."""
        raise NotImplementedError

    def count(self, access: Access, what: Resource, since: datetime | None = None, until: datetime | None = None) -> Count:
        """Not asked here."""
        raise NotImplementedError

    def orders_of(self, access: Access, token: str | None, cart_token: str | None) -> list[Order]:
        """Not asked here."""
        raise NotImplementedError

    def lines_now(self, access: Access, wanted: Sequence[tuple[str, str | None]]) -> list[LineNow]:
        """Not asked here."""
        raise NotImplementedError

    def begin_export(self, access: Access, what: Resource, since: datetime | None = None) -> Export:
        """Not asked here."""
        raise NotImplementedError

    def look_at_export(self, access: Access, platform_id: str) -> Export:
        """Not asked here."""
        raise NotImplementedError

    def read_export(self, access: Access, export: Export, what: Resource, skip: int = 0) -> Iterator[Page]:
        """Not asked here."""
        raise NotImplementedError

    def told_by(self, change: Change, since: datetime) -> frozenset[str]:
        """Not asked here."""
        raise NotImplementedError

    def admin_url(self, domain: str, what: Resource, platform_id: str) -> str:
        """Not asked here."""
        raise NotImplementedError


@dataclass
class FakeCodes:
    """A store's codes, by their lower-case names, to be looked up."""

    held: dict[str, CodeState] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def read_code(self, access: Access, code: str) -> CodeState | None:
        """What is held."""
        self.asked.append(code)
        return self.held.get(code.lower())

    def issue_code(self, access: Access, code: DiscountCode) -> CodeState:
        """Not asked here."""
        raise NotImplementedError

    def issue_codes(self, access: Access, platform_id: str, codes: Sequence[str]) -> IssuedCodes:
        """Not asked here."""
        raise NotImplementedError

    def find_codes(self, access: Access, words: str, cursor: str | None = None) -> Page:
        """Not asked here."""
        raise NotImplementedError

    def suspend_code(self, access: Access, platform_id: str) -> None:
        """Not asked here."""
        raise NotImplementedError

    def resume_code(self, access: Access, platform_id: str) -> None:
        """Not asked here."""
        raise NotImplementedError

    def delete_code(self, access: Access, platform_id: str) -> None:
        """Not asked here."""
        raise NotImplementedError
