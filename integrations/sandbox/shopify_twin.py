"""
A pretend Shopify with one shop, demo.myshopify.com: install, GraphQL, storefront, webhooks, and a shopper's actions as methods.

Serve `app` over https for programs and over http for people. Every method may be called from any thread.
"""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette

from integrations.sandbox.app_configuration import AppConfiguration
from integrations.sandbox.delivery import Built, Delivery, DeliveryMachine, Outgoing, Policy
from integrations.sandbox.faults import ANSWERS, Faults
from integrations.sandbox.shopify_bodies import cart_body, checkout_body, customer_body, order_body, shop_body, shop_time
from integrations.sandbox.shopify_faults import DIALECT
from integrations.sandbox.shopify_pages import ShopifyPages
from integrations.sandbox.shopify_shop import DOMAIN, SHOP_ID, Address, Checkout, Shop, Shopper
from integrations.sandbox.shopify_tokens import Tokens, signed_query
from integrations.sandbox.spoilt import SpoiltApi

RETRIES = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 120, 600, 1800, 3600, 7200, 14400))
Topics = Sequence[tuple[str, dict[str, Any]]]


class ShopifyTwin:
    """
    The shop and its shopper.

    `deliveries` carries its webhooks (and has their faults), `faults` spoils its API, `tokens` knows who may call it, `shop` is its memory.
    """

    domain = DOMAIN
    origin = f"https://{DOMAIN}"

    def __init__(
        self,
        app: AppConfiguration,
        now: Callable[[], datetime],
        outgoing: Outgoing,
        *,
        for_people: Callable[[str], str] = str,
        seed: int = 0,
        timeout: float = 5.0,
    ) -> None:
        self._app = app
        self._now = now
        self.shop = Shop(now)
        self.faults = Faults(ANSWERS)
        self.tokens = Tokens(app, now)
        policy = Policy(timeout, RETRIES, lambda status: 200 <= status < 300)
        self.deliveries = DeliveryMachine(now, policy, outgoing.post, seed)
        pages = ShopifyPages(self.shop, app, self.tokens, self.pay, self.install_url, for_people)
        self.app = SpoiltApi(Starlette(routes=pages.routes()), self.faults, DIALECT)

    def close(self) -> None:
        """Stop sending."""
        self.deliveries.close()

    def install_url(self, app_url: str) -> str:
        """The signed address a merchant's click in the App Store leads to: `{app_url}/install/shopify?shop=…&hmac=…`."""
        host = base64.urlsafe_b64encode(b"admin.shopify.com/store/demo").decode().rstrip("=")
        pairs = {"host": host, "shop": DOMAIN, "timestamp": str(int(self._now().timestamp()))}
        return f"{app_url}/install/shopify?{signed_query(pairs, self._app.client_secret)}"

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
        self._send([*extra, *bodies])
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

    def pay(self, token: str) -> int:
        """Pay by card; returns the order id. Sends checkouts/update (completed), orders/create and orders/paid."""
        return self._complete(token, "paid", "bogus")

    def pay_by_bank_transfer(self, token: str) -> int:
        """Choose a bank transfer: the order is pending. Sends checkouts/update (completed) and orders/create."""
        return self._complete(token, "pending", "Bank Deposit")

    def mark_paid(self, order_id: int) -> None:
        """The transfer arrived. Sends orders/updated and orders/paid."""
        with self.shop.lock:
            order = self.shop.find_order(order_id)
            order.financial_status, order.updated_at = "paid", self._now()
            body = order_body(self.shop, order)
        self._send([("orders/updated", body), ("orders/paid", body)])

    def cancel_order(self, order_id: int) -> None:
        """The merchant cancels (a paid order is voided of its money by refund elsewhere). Sends orders/cancelled and orders/updated."""
        with self.shop.lock:
            order = self.shop.find_order(order_id)
            order.cancelled_at = order.updated_at = self._now()
            if order.financial_status == "pending":
                order.financial_status = "voided"
            body = order_body(self.shop, order)
        self._send([("orders/cancelled", body), ("orders/updated", body)])

    def set_email_consent(self, customer_id: int, state: str) -> None:
        """A customer's consent changes to `subscribed`, `unsubscribed`, …. Sends customers_email_marketing_consent/update."""
        with self.shop.lock:
            shopper = self.shop.customers[customer_id].shopper
            consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": shop_time(self.shop, self._now())}
        body = {"customer_id": customer_id, "email_address": shopper.email, "email_marketing_consent": consent}
        self._send([("customers_email_marketing_consent/update", body)])

    def redact_customer(self, customer_id: int) -> None:
        """The privacy request to erase a customer. Sends customers/redact."""
        with self.shop.lock:
            shopper = self.shop.customers[customer_id].shopper
            orders = [order.id for order in self.shop.orders.values() if order.checkout.email == shopper.email]
        person = {"id": customer_id, "email": shopper.email, "phone": shopper.phone}
        self._send([("customers/redact", {"shop_id": SHOP_ID, "shop_domain": DOMAIN, "customer": person, "orders_to_redact": orders})])

    def redact_shop(self) -> None:
        """What follows 48 hours after an uninstall. Sends shop/redact."""
        self._send([("shop/redact", {"shop_id": SHOP_ID, "shop_domain": DOMAIN})])

    def uninstall(self) -> None:
        """The merchant removes the app: every token dies, app/uninstalled is sent, nothing but privacy topics follows."""
        self._send([("app/uninstalled", shop_body(self.shop))])
        with self.shop.lock:
            self.tokens.revoke_all()

    def recovery_url(self, token: str) -> str:
        """The address that Shopify gives in `abandoned_checkout_url`."""
        checkout = self.shop.find_checkout(token)
        return f"{self.origin}{checkout.path}?key={checkout.key}"

    @contextmanager
    def _changing(self, token: str, with_cart: bool = False) -> Iterator[Checkout]:
        """A change of one checkout under the shop's lock: `updated_at` moves and the new state is sent."""
        with self.shop.lock:
            checkout = self.shop.find_checkout(token)
            yield checkout
            checkout.updated_at = self._now()
            cart = [("carts/update", cart_body(self.shop, checkout))] if with_cart else []
            bodies = [*cart, ("checkouts/update", checkout_body(self.shop, checkout))]
        self._send(bodies)

    def _complete(self, token: str, financial_status: str, gateway: str) -> int:
        with self.shop.lock:
            checkout = self.shop.find_checkout(token)
            if checkout.order_id is not None:
                return checkout.order_id
            known = len(self.shop.customers)
            order = self.shop.place_order(checkout, financial_status, gateway)
            body = order_body(self.shop, order)
            bodies = [("checkouts/update", checkout_body(self.shop, checkout)), ("orders/create", body)]
            if checkout.customer is not None and len(self.shop.customers) > known:
                bodies.insert(0, ("customers/create", customer_body(self.shop, checkout.customer)))
        self._send([*bodies, ("orders/paid", body)] if financial_status == "paid" else bodies)
        return order.id

    def _send(self, bodies: Topics) -> None:
        """Submit what one action caused; without an installed app only privacy topics leave."""
        event = str(uuid.uuid4())
        deliveries = []
        for topic, body in bodies:
            is_privacy = topic in {"customers/redact", "shop/redact"}
            if self.tokens.is_installed or is_privacy:
                raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
                deliveries += [self._delivery(topic, address, event, raw) for address in self._app.addresses(topic)]
        self.deliveries.submit(*deliveries)

    def _delivery(self, topic: str, address: str, event: str, body: bytes) -> Delivery:
        webhook_id = str(uuid.uuid4())
        digest = hmac.new(self._app.client_secret.encode(), body, hashlib.sha256).digest()
        nanoseconds = f"{self._now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}{secrets.randbelow(1000):03d}Z"
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Shopify-Captain-Hook",
            "X-Shopify-Topic": topic,
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
            "X-Shopify-Shop-Domain": DOMAIN,
            "X-Shopify-API-Version": self._app.api_version,
            "X-Shopify-Webhook-Id": webhook_id,
            "X-Shopify-Event-Id": event,
            "X-Shopify-Triggered-At": nanoseconds,
        }
        built: Built = (headers, body)
        return Delivery(webhook_id, topic, address, lambda: built)
