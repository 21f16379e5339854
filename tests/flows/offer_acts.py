"""What shoppers and merchants do with offers in either pretend store, in the same words for both."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from integrations.sandbox.delivery import DeliveryMachine
from integrations.sandbox.shopify_discount_book import BASIC, BXGY, FREE_SHIPPING
from integrations.sandbox.shopify_twin import ShopifyTwin
from integrations.sandbox.woocommerce_coupon_checks import CouponsRemoved
from integrations.sandbox.woocommerce_twin import WooCommerceTwin


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A code that a merchant makes by hand. `kind` "buy_x": of a sort that we never issue.

    `only_for`: "products", "collections", "customers", "groups", or "" for everybody.
    """

    code: str
    kind: str = "percentage"
    value: str = "10"
    ends_at: datetime | None = None
    usage_limit: int | None = None
    once: bool = False
    minimum: str | None = None
    only_for: str = ""


class Acts(Protocol):
    """One store's people. Orders go by the platform's own id, codes by their name."""

    name: str

    @property
    def deliveries(self) -> DeliveryMachine: ...

    def buy(self, email: str, code: str = "", quantity: int = 1) -> str: ...
    def spell(self, code: str) -> str: ...
    def begin(self, email: str, code: str = "", quantity: int = 1) -> str: ...
    def finish(self, begun: str) -> str: ...
    def promise(self, email: str) -> str: ...
    def receive_money(self, order: str) -> None: ...
    def touch_order(self, order: str) -> None: ...
    def total(self, order: str) -> Decimal: ...
    def carries(self, order: str, code: str) -> bool: ...
    def refund(self, order: str, amount: Decimal | None = None) -> None: ...
    def cancel(self, order: str) -> None: ...
    def take_back(self, order: str) -> None: ...
    def reinstate(self, order: str) -> None: ...
    def make(self, wanted: Wanted) -> None: ...
    def delete(self, code: str) -> None: ...
    def delete_silently(self, code: str) -> None: ...
    def end(self, code: str) -> None: ...
    def restrict(self, code: str) -> None: ...
    def honours(self, code: str, email: str = "nobody@new.example") -> bool: ...
    def codes(self) -> list[str]: ...
    def close_store(self) -> None: ...
    def open_store(self) -> None: ...
    def disconnect(self) -> None: ...


@dataclass
class ShopifyActs:
    """The people of the pretend Shopify shop."""

    twin: ShopifyTwin
    name: str = "shopify"

    @property
    def deliveries(self) -> DeliveryMachine:
        """What carries its webhooks."""
        return self.twin.deliveries

    def buy(self, email: str, code: str = "", quantity: int = 1) -> str:
        """Pay by card, with a code maybe."""
        return self.finish(self.begin(email, code, quantity))

    def spell(self, code: str) -> str:
        """A code as the shop writes it: as it was typed."""
        return code

    def begin(self, email: str, code: str = "", quantity: int = 1) -> str:
        """Fill a checkout, with a code maybe, and leave it at that."""
        token = self.twin.start_checkout([("CEDAR-L", quantity)], email=email)
        if code:
            self.twin.apply_code(token, code)
        return token

    def finish(self, begun: str) -> str:
        """Pay what was begun."""
        return str(self.twin.pay(begun))

    def promise(self, email: str) -> str:
        """Order, and pay by bank transfer later."""
        return str(self.twin.pay_by_bank_transfer(self.twin.start_checkout([("CEDAR-L", 1)], email=email)))

    def receive_money(self, order: str) -> None:
        """The transfer arrived."""
        self.twin.mark_paid(int(order))

    def touch_order(self, order: str) -> None:
        """Shopify says once more what there is to say of an order."""
        self.twin.mark_paid(int(order))

    def total(self, order: str) -> Decimal:
        """What was to be paid."""
        checkout = self.twin.shop.find_order(int(order)).checkout
        return checkout.subtotal + checkout.tax

    def carries(self, order: str, code: str) -> bool:
        """Whether the store has this order with that code."""
        return (self.twin.shop.find_order(int(order)).checkout.discount_code or "").casefold() == code.casefold()

    def refund(self, order: str, amount: Decimal | None = None) -> None:
        """Money goes back, all of it unless said otherwise."""
        self.twin.refund(int(order), amount)

    def cancel(self, order: str) -> None:
        """The merchant cancels."""
        self.twin.cancel_order(int(order))

    def take_back(self, order: str) -> None:
        """The shopper's bank takes the money back: a chargeback."""
        self.twin.dispute_order(int(order))

    def reinstate(self, order: str) -> None:
        """What took an order back is undone: on Shopify only a chargeback that is won does that."""
        self.twin.win_dispute(int(order))

    def make(self, wanted: Wanted) -> None:
        """The merchant makes a code in the admin."""
        gets: dict[str, Any] = {"value": {"percentage": int(wanted.value) / 100}, "items": {"all": True}}
        if wanted.kind == "fixed_amount":
            gets["value"] = {"discountAmount": {"amount": wanted.value, "appliesOnEachItem": False}}
        if wanted.only_for == "products":
            gets["items"] = _some_products(self.twin)
        if wanted.only_for == "collections":
            gets["items"] = {"collections": {"add": ["gid://shopify/Collection/1"]}}
        context: dict[str, Any] = {"all": "ALL"}
        if wanted.only_for in ("customers", "groups"):
            which = ("customers", "Customer") if wanted.only_for == "customers" else ("customerSegments", "Segment")
            context = {which[0]: {"add": [f"gid://shopify/{which[1]}/1"]}}
        given = {
            "title": wanted.code,
            "code": wanted.code,
            "startsAt": self.twin.shop.now(),
            "endsAt": wanted.ends_at,
            "usageLimit": wanted.usage_limit,
            "appliesOncePerCustomer": wanted.once,
            "context": context,
        }
        if wanted.kind != "free_shipping":
            given["customerGets"] = gets
        if wanted.minimum is not None:
            given["minimumRequirement"] = {"subtotal": {"greaterThanOrEqualToSubtotal": wanted.minimum}}
        kind = {"free_shipping": FREE_SHIPPING, "buy_x": BXGY}.get(wanted.kind, BASIC)
        with self.twin.shop.lock:
            self.twin.shop.discounts.add(kind, given)

    def delete(self, code: str) -> None:
        """The merchant deletes the discount in the admin."""
        self.twin.delete_discount(self._number(code))

    def delete_silently(self, code: str) -> None:
        """The same, and the webhook gets lost."""
        self.twin.silence("discounts/delete")
        self.delete(code)

    def end(self, code: str) -> None:
        """The merchant ends it today."""
        with self.twin.shop.lock:
            self.twin.shop.discounts.deactivate(self._number(code))

    def restrict(self, code: str) -> None:
        """The merchant limits it to some products."""
        number = self._number(code)
        with self.twin.shop.lock:
            held = self.twin.shop.discounts.get(number)
            assert held is not None
            gets = {**held.wanted["customerGets"], "items": _some_products(self.twin)}
            _, wrong = self.twin.shop.discounts.update(number, held.kind, {"customerGets": gets})
        assert not wrong

    def honours(self, code: str, email: str = "nobody@new.example") -> bool:
        """Whether the checkout takes the code now."""
        return self.twin.apply_code(self.twin.start_checkout([("CEDAR-L", 1)], email=email), code)

    def codes(self) -> list[str]:
        """All codes of the store."""
        with self.twin.shop.lock:
            return [redeem.code for one in self.twin.shop.discounts for redeem in one.codes]

    def close_store(self) -> None:
        """The merchant puts the storefront behind a password."""
        self.twin.set_password(True)

    def open_store(self) -> None:
        """The merchant takes the password away."""
        self.twin.set_password(False)

    def disconnect(self) -> None:
        """The merchant removes our app."""
        self.twin.uninstall()

    def _number(self, code: str) -> int:
        with self.twin.shop.lock:
            found = self.twin.shop.discounts.find(code)
        assert found is not None, f"the shop has no code {code}"
        return found.id


@dataclass
class WooActs:
    """The people of the pretend WooCommerce store."""

    twin: WooCommerceTwin
    name: str = "woocommerce"
    _sessions: dict[str, str] = field(default_factory=dict)

    @property
    def deliveries(self) -> DeliveryMachine:
        """What carries its webhooks."""
        return self.twin.deliveries

    def buy(self, email: str, code: str = "", quantity: int = 1) -> str:
        """Pay by card, with a code maybe."""
        return self._order(email, "card", code, quantity)

    def promise(self, email: str) -> str:
        """Order, and pay by bank transfer later (on-hold)."""
        return self._order(email, "bacs")

    def receive_money(self, order: str) -> None:
        """The transfer arrived."""
        self.twin.set_status(int(order), "processing")

    def touch_order(self, order: str) -> None:
        """The order goes on to completed: another version of it."""
        self.twin.set_status(int(order), "completed")

    def total(self, order: str) -> Decimal:
        """What was to be paid."""
        return self.twin.store.find_order(int(order)).total

    def carries(self, order: str, code: str) -> bool:
        """Whether the store has this order with that code."""
        return code.casefold() in [one.casefold() for one in self.twin.store.find_order(int(order)).coupons]

    def refund(self, order: str, amount: Decimal | None = None) -> None:
        """Money goes back, all of it unless said otherwise."""
        self.twin.refund(int(order), amount)

    def cancel(self, order: str) -> None:
        """The merchant cancels."""
        self.twin.cancel_order(int(order))

    def take_back(self, order: str) -> None:
        """The merchant cancels, and will think better of it."""
        self.cancel(order)

    def reinstate(self, order: str) -> None:
        """The merchant sets it back to processing."""
        self.twin.reinstate_order(int(order))

    def make(self, wanted: Wanted) -> None:
        """The merchant makes a coupon in wp-admin."""
        kinds = {"percentage": "percent", "fixed_amount": "fixed_cart", "free_shipping": "fixed_cart", "buy_x": "fixed_product"}
        fields: dict[str, Any] = {"discount_type": kinds[wanted.kind], "amount": wanted.value}
        if wanted.kind == "free_shipping":
            fields |= {"amount": "0", "free_shipping": True}
        if wanted.ends_at is not None:
            fields["date_expires"] = wanted.ends_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields |= {"usage_limit": wanted.usage_limit} if wanted.usage_limit else {}
        fields |= {"usage_limit_per_user": 1} if wanted.once else {}
        fields |= {"minimum_amount": wanted.minimum} if wanted.minimum else {}
        fields |= {"product_ids": [self._product()]} if wanted.only_for == "products" else {}
        fields |= {"product_categories": [15]} if wanted.only_for == "collections" else {}
        fields |= {"email_restrictions": ["one@customer.example"]} if wanted.only_for == "customers" else {}
        fields |= {"email_restrictions": ["*@club.example"]} if wanted.only_for == "groups" else {}
        self.twin.coupons.make(wanted.code, **fields)

    def delete(self, code: str) -> None:
        """The merchant moves it to the bin."""
        self.twin.coupons.trash(self._number(code))

    def delete_silently(self, code: str) -> None:
        """The merchant deletes it for good: WooCommerce tells nobody of that."""
        self.twin.coupons.delete(self._number(code))

    def end(self, code: str) -> None:
        """The merchant lets it end a minute ago."""
        past = self.twin.store.now() - timedelta(minutes=1)
        self.twin.coupons.edit(self._number(code), date_expires=past.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def restrict(self, code: str) -> None:
        """The merchant limits it to some products."""
        self.twin.coupons.edit(self._number(code), product_ids=[self._product()])

    def honours(self, code: str, email: str = "nobody@new.example") -> bool:
        """Whether the checkout takes the code now."""
        return self.twin.apply_code(self._at_checkout(email), code)

    def codes(self) -> list[str]:
        """All coupons that are not in the bin."""
        return [one.code for one in self.twin.store.coupons if one.status != "trash"]

    def close_store(self) -> None:
        """The merchant sets the site to "coming soon"."""
        self.twin.set_coming_soon(True)

    def open_store(self) -> None:
        """The site is live again."""
        self.twin.set_coming_soon(False)

    def disconnect(self) -> None:
        """The merchant revokes our key."""
        self.twin.uninstall()

    def _order(self, email: str, method: str, code: str = "", quantity: int = 1) -> str:
        return self._place(self.begin(email, code, quantity), method)

    def spell(self, code: str) -> str:
        """A code as the store writes it: in small letters."""
        return code.lower()

    def begin(self, email: str, code: str = "", quantity: int = 1) -> str:
        """Fill a cart and the checkout page, with a coupon maybe, and leave it at that."""
        key = self._at_checkout(email, quantity)
        if code:
            self.twin.apply_code(key, code)
        return key

    def finish(self, begun: str) -> str:
        """Place the order that was begun; where the store takes a coupon out, place it without."""
        return self._place(begun, "card")

    def _place(self, key: str, method: str) -> str:
        try:
            return str(self.twin.buy(key, method).id)
        except CouponsRemoved:
            return str(self.twin.buy(key, method).id)

    def _at_checkout(self, email: str, quantity: int = 1) -> str:
        key = self.twin.start_cart([("HUILE-500", quantity)])
        self.twin.open_page(key)
        self.twin.type_into(key, email, "", "Léa Martin", "FR")
        return key

    def _number(self, code: str) -> int:
        found = self.twin.store.coupons.by_code(code)
        assert found is not None, f"the store has no coupon {code}"
        return found.id

    def _product(self) -> int:
        return self.twin.find_product("HUILE-500")[0].id


def _some_products(twin: ShopifyTwin) -> dict[str, Any]:
    return {"products": {"productsToAdd": [f"gid://shopify/Product/{next(iter(twin.shop.products))}"]}}
