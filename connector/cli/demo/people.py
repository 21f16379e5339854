"""Who shops in the demo, and one way to act in either pretend store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from connector.errors import NotFound
from integrations.sandbox.mail_catcher import CaughtMail
from integrations.sandbox.shopper import Browser, Page
from integrations.sandbox.world import Sandbox


@dataclass(slots=True)
class Person:
    """One shopper and what must come of the day: when mails arrive (minutes after opening time), how many orders, why."""

    name: str
    store: str
    does: str
    mails_after: tuple[int, ...] = ()
    orders: int = 0
    reason: str = ""
    checkouts: list[str] = field(default_factory=list)

    @property
    def email(self) -> str:
        """Their address, one per store."""
        return f"{self.name.lower()}@{self.store}.example"

    @property
    def due(self) -> tuple[timedelta, ...]:
        """When their mails are due after opening time."""
        return tuple(timedelta(minutes=minutes) for minutes in self.mails_after)


class Till(Protocol):
    """What shoppers can do in one store. A checkout is named by the platform's own id."""

    name: str

    def leave(self, person: Person, *, email: bool = True) -> str: ...
    def edit(self, checkout: str) -> None: ...
    def recalculate(self, checkout: str) -> None: ...
    def pay(self, checkout: str) -> None: ...
    def transfer(self, checkout: str) -> None: ...
    def return_by(self, mail: CaughtMail, checkout: str) -> Page: ...
    def buy(self, email: str, code: str = "") -> None: ...
    def delete_code(self, code: str) -> None: ...
    def codes(self) -> list[str]: ...
    def orders_with(self, email: str) -> list[tuple[str, ...]]: ...


class ShopifyTill:
    """The Shopify twin's storefront."""

    name = "shopify"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._twin = sandbox.shopify

    def leave(self, person: Person, *, email: bool = True) -> str:
        """Fill a cart, open the checkout, type an address (in two halves, as people do), and go."""
        token = self._twin.start_checkout([("CEDAR-L", 1), ("SALT-SOAP", 2)], accepts_marketing=False)
        if email:
            self._twin.type_email(token, person.email[:-3])
            self._twin.type_email(token, person.email)
        return token

    def edit(self, checkout: str) -> None:
        """Change the mind about the soap."""
        self._twin.change_quantity(checkout, "SALT-SOAP", 3)

    def recalculate(self, checkout: str) -> None:
        """The platform works out a tax; no shopper did anything."""
        self._twin.touch(checkout)

    def pay(self, checkout: str) -> None:
        """Pay by card."""
        self._twin.pay(checkout)

    def transfer(self, checkout: str) -> None:
        """Order, and promise a bank transfer."""
        self._twin.pay_by_bank_transfer(checkout)

    def return_by(self, mail: CaughtMail, checkout: str) -> Page:
        """Press "Complete order" in the mail, and pay on the page it leads to."""
        return _in_browser(self._sandbox, lambda browser: browser.click(browser.open_mail_link(mail, "Complete order"), "Pay"))

    def buy(self, email: str, code: str = "") -> None:
        """Buy something at once, with a discount code maybe."""
        token = self._twin.start_checkout([("CEDAR-L", 1)], email=email)
        if code:
            self._twin.apply_code(token, code)
        self._twin.pay(token)

    def delete_code(self, code: str) -> None:
        """The merchant deletes a discount in the admin."""
        with self._twin.shop.lock:
            found = self._twin.shop.discounts.find(code)
        if found is None:
            raise NotFound(f"the shop has no discount {code}")
        self._twin.delete_discount(found.id)

    def codes(self) -> list[str]:
        """All discount codes of the shop."""
        with self._twin.shop.lock:
            return [redeem.code for one in self._twin.shop.discounts for redeem in one.codes]

    def orders_with(self, email: str) -> list[tuple[str, ...]]:
        """The discount codes of each order of somebody, oldest first."""
        with self._twin.shop.lock:
            placed = [order.checkout for order in self._twin.shop.orders.values() if order.checkout.email == email]
            return [(one.discount_code,) if one.discount_code else () for one in placed]


class WooCommerceTill:
    """The WooCommerce twin's storefront, with the companion plugin: a checkout is a cart that the plugin saved."""

    name = "woocommerce"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._twin = sandbox.woocommerce
        self._twin.plugin = True
        self._sessions: dict[str, str] = {}

    def leave(self, person: Person, *, email: bool = True) -> str:
        """Fill a cart, open the block checkout, type contact data, and go. "" without an address: then the plugin keeps nothing."""
        session = self._twin.start_cart([("BOUG-LAV", 1), ("SAVON-MRS", 2)])
        self._twin.open_page(session)
        if not email:
            return ""
        self._twin.type_into(session, person.email, "06 45 67 89 01", f"{person.name} Martin", "FR")
        token = self._twin.token_of(session)
        self._sessions[token] = session
        return token

    def edit(self, checkout: str) -> None:
        """Change the mind about the soap."""
        self._twin.set_quantity(self._sessions[checkout], "SAVON-MRS", 3)

    def recalculate(self, checkout: str) -> None:
        """Opening the page again saves the draft; the cart stays the same."""
        self._twin.open_page(self._sessions[checkout])

    def pay(self, checkout: str) -> None:
        """Pay by card."""
        self._twin.buy(self._sessions[checkout], "card")

    def transfer(self, checkout: str) -> None:
        """Order, and promise a bank transfer (on-hold)."""
        self._twin.buy(self._sessions[checkout], "bacs")

    def return_by(self, mail: CaughtMail, checkout: str) -> Page:
        """Press "Finaliser" in the mail, on another device: the plugin's link fills the cart; place the order there."""
        email = self._twin.store.plugin.carts[checkout].who.email
        return _in_browser(self._sandbox, lambda browser: browser.submit(browser.open_mail_link(mail, mail_button(mail)), email=email))

    def buy(self, email: str, code: str = "") -> None:
        """Buy something at once, with a coupon maybe."""
        session = self._twin.start_cart([("HUILE-500", 1)])
        self._twin.open_page(session)
        self._twin.type_into(session, email, "", "Farah Petit", "FR")
        if code:
            self._twin.apply_code(session, code)
        self._twin.buy(session, "card")

    def delete_code(self, code: str) -> None:
        """The merchant moves a coupon to the bin."""
        found = self._twin.store.coupons.by_code(code)
        if found is None:
            raise NotFound(f"the store has no coupon {code}")
        self._twin.coupons.trash(found.id)

    def codes(self) -> list[str]:
        """All coupons of the store."""
        return [one.code for one in self._twin.store.coupons if one.status == "publish"]

    def orders_with(self, email: str) -> list[tuple[str, ...]]:
        """The coupons of each placed order of somebody, oldest first."""
        with self._twin.store.lock:
            return [
                tuple(one.coupons) for one in self._twin.store.orders.values() if one.contact.email == email and one.status == "processing"
            ]


def mail_button(mail: CaughtMail) -> str:
    """The words on the mail's button, in the mail's language."""
    return "Complete order" if "Complete order" in mail.html else "Finaliser"


def _in_browser(sandbox: Sandbox, go: Callable[[Browser], Page]) -> Page:
    browser = sandbox.browser()
    try:
        return go(browser)
    finally:
        browser.close()
