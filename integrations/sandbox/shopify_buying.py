"""What shoppers do in the pretend shop, from an empty cart to an order; each action sends its webhooks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from connector.errors import NotFound
from integrations.sandbox.shopify_bodies import cart_body, checkout_body, customer_body, order_body
from integrations.sandbox.shopify_hooks import Hooks, Topics
from integrations.sandbox.shopify_shop import Address, Checkout, Shop, Shopper
from integrations.sandbox.shopify_storefront import buyer, open_again, settle


@dataclass(eq=False)
class Buying:
    """The actions of shoppers. All of them take the shop's lock and may be called from any thread; unknown things raise NotFound."""

    shop: Shop
    hooks: Hooks

    def start_checkout(
        self,
        lines: Sequence[tuple[str, int]],
        email: str | None = None,
        phone: str | None = None,
        accepts_marketing: bool = False,
        customer: Shopper | None = None,
    ) -> str:
        """
        Fill a cart with `(SKU, quantity)` lines and open the checkout; returns the checkout token.

        A `customer` is logged in: the checkout carries the record and, unless given, its e-mail address. Sends
        carts/create and checkouts/create (and customers/create for a new one). Raises NotFound for an unknown SKU.
        """
        with self.shop.lock:
            checkout = self.shop.open_checkout([self.shop.find_line(sku, quantity) for sku, quantity in lines])
            checkout.email, checkout.phone, checkout.accepts_marketing = email, phone, accepts_marketing
            extra: Topics = ()
            if customer is not None:
                known = len(self.shop.customers)
                checkout.customer = self.shop.keep_customer(customer)
                checkout.email, checkout.address = email or customer.email, customer.address
                extra = [("customers/create", customer_body(self.shop, checkout.customer))] if len(self.shop.customers) > known else ()
            bodies = [("carts/create", cart_body(self.shop, checkout)), ("checkouts/create", checkout_body(self.shop, checkout))]
        self.hooks.send([*extra, *bodies])
        return checkout.token

    def type_email(self, token: str, email: str, accepts_marketing: bool | None = None) -> None:
        """The shopper types (or corrects) the e-mail address. Sends checkouts/update."""
        with self._changing(token) as checkout:
            checkout.email = email
            if accepts_marketing is not None:
                checkout.accepts_marketing = accepts_marketing

    def type_address(self, token: str, address: Address) -> None:
        """The shopper types the shipping address. Sends checkouts/update."""
        with self._changing(token) as checkout:
            checkout.address = address

    def change_quantity(self, token: str, sku: str, quantity: int) -> None:
        """Set the quantity of one line, 0 removes it, a new SKU adds a line. Sends carts/update and checkouts/update."""
        with self._changing(token, with_cart=True) as checkout:
            line = next((line for line in checkout.lines if line.variant.sku == sku), None)
            if line is None:
                checkout.lines.append(self.shop.find_line(sku, quantity))
            line = line or checkout.lines[-1]
            line.quantity = quantity
            checkout.lines = [line for line in checkout.lines if line.quantity > 0]

    def touch(self, token: str) -> None:
        """The platform works out the tax; nobody did anything, yet `updated_at` moves. Sends checkouts/update."""
        with self._changing(token) as checkout:
            checkout.is_taxed = True

    def apply_code(self, token: str, code: str) -> bool:
        """
        The shopper types a code into the checkout, or came by the link that applies it; False if the shop does not take it.

        Sends checkouts/update.
        """
        with self._changing(token) as checkout:
            opened = open_again(self.shop, checkout, code)
            if opened.code is not None:
                checkout.discount_code, checkout.discount = opened.code, opened.discount
        return opened.code is not None

    def pay(self, token: str, code: str = "") -> int:
        """
        Pay by card, with a discount code maybe; returns the order id. Sends checkouts/update (completed), orders/create and orders/paid.

        What cannot be bought any more is left out, today's prices count, and so do today's limits and ends of codes: one that holds no
        more is dropped, whenever it was typed. Raises NotFound if nothing is left.
        """
        return self._complete(token, "paid", "bogus", code)

    def pay_by_bank_transfer(self, token: str) -> int:
        """Choose a bank transfer: the order is pending. Sends checkouts/update (completed) and orders/create."""
        return self._complete(token, "pending", "Bank Deposit")

    def pay_test(self, token: str) -> int:
        """The merchant tries the checkout in test mode. Sends what pay() does; the order says that it is a test."""
        return self._complete(token, "paid", "bogus", is_test=True)

    def recovery_url(self, token: str) -> str:
        """The address that Shopify gives in `abandoned_checkout_url`."""
        return self.shop.recovery_url(self.shop.find_checkout(token))

    @contextmanager
    def _changing(self, token: str, with_cart: bool = False) -> Iterator[Checkout]:
        """A change of one checkout under the shop's lock: `updated_at` moves and the new state is sent."""
        with self.shop.lock:
            checkout = self.shop.find_checkout(token)
            yield checkout
            checkout.updated_at = self.shop.now()
            cart = [("carts/update", cart_body(self.shop, checkout))] if with_cart else []
            bodies = [*cart, ("checkouts/update", checkout_body(self.shop, checkout))]
        self.hooks.send(bodies)

    def _complete(self, token: str, financial_status: str, gateway: str, code: str = "", *, is_test: bool = False) -> int:
        with self.shop.lock:
            checkout = self.shop.find_checkout(token)
            if checkout.order_id is not None:
                return checkout.order_id
            had_lines = bool(checkout.lines)
            settle(self.shop, checkout, code)
            if had_lines and not checkout.lines:
                raise NotFound("nothing of this checkout can be bought any more")
            known = len(self.shop.customers)
            order = self.shop.place_order(checkout, financial_status, gateway)
            order.is_test = is_test
            if checkout.discount_code is not None:
                self.shop.discounts.use(checkout.discount_code, buyer(checkout))
            body = order_body(self.shop, order)
            bodies = [("checkouts/update", checkout_body(self.shop, checkout)), ("orders/create", body)]
            if checkout.customer is not None and len(self.shop.customers) > known:
                bodies.insert(0, ("customers/create", customer_body(self.shop, checkout.customer)))
        self.hooks.send([*bodies, ("orders/paid", body)] if financial_status == "paid" else bodies)
        return order.id
