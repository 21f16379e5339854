"""What the pretend shop's merchant does in the admin, and what Shopify does there by itself; each action sends its webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from connector.errors import Refused
from integrations.sandbox.shopify_bodies import Body, customer_body, order_body, shop_body, shop_time
from integrations.sandbox.shopify_discount_book import BASIC
from integrations.sandbox.shopify_hooks import Hooks
from integrations.sandbox.shopify_merchant_bodies import (
    data_request_body,
    deleted_checkout_body,
    email_consent_body,
    merge_body,
    product_body,
    scopes_body,
    sms_consent_body,
    stock_body,
    variant_body,
    whatsapp_consent_body,
)
from integrations.sandbox.shopify_shop import DOMAIN, SHOP_ID, Customer, Marketing, Shop, Shopper, make_product
from integrations.sandbox.shopify_tokens import Tokens


@dataclass(eq=False)
class Merchant:
    """The actions of a merchant. All of them take the shop's lock and may be called from any thread; unknown things raise NotFound."""

    shop: Shop
    tokens: Tokens
    hooks: Hooks

    def send(self, topic: str, body: Body) -> None:
        """Send any webhook, as if something had caused it."""
        self.hooks.send([(topic, body)])

    def silence(self, topic: str) -> None:
        """From now on the app's own subscription of a topic delivers nothing, and nobody is told of that."""
        self.hooks.silent.add(topic)

    def speak(self, topic: str) -> None:
        """It delivers again; what happened meanwhile does not come."""
        self.hooks.silent.discard(topic)

    def mark_paid(self, order_id: int) -> None:
        """The transfer arrived. Sends orders/updated and orders/paid."""
        with self.shop.lock:
            order = self.shop.find_order(order_id)
            order.updated_at = self.shop.now()
            if order.paid_at is None:
                order.financial_status, order.paid_at = "paid", order.updated_at
            body = order_body(self.shop, order)
        self.hooks.send([("orders/updated", body), ("orders/paid", body)])

    def cancel_order(self, order_id: int) -> None:
        """The merchant cancels (a paid order is voided of its money by refund elsewhere). Sends orders/cancelled and orders/updated."""
        with self.shop.lock:
            order = self.shop.find_order(order_id)
            order.cancelled_at = order.updated_at = self.shop.now()
            if order.financial_status == "pending":
                order.financial_status = "voided"
            body = order_body(self.shop, order)
        self.hooks.send([("orders/cancelled", body), ("orders/updated", body)])

    def delete_order(self, order_id: int) -> None:
        """An order is taken out of the books. Sends orders/delete."""
        with self.shop.lock:
            self.shop.find_order(order_id)
            del self.shop.orders[order_id]
        self.send("orders/delete", {"id": order_id})

    def delete_checkout(self, token: str) -> None:
        """Shopify forgets a checkout. Sends checkouts/delete, which names the cart only."""
        with self.shop.lock:
            body = deleted_checkout_body(self.shop, self.shop.find_checkout(token))
            del self.shop.checkouts[token]
        self.send("checkouts/delete", body)

    def set_email_consent(self, customer_id: int, state: str) -> None:
        """A customer's consent changes to `subscribed`, `unsubscribed`, …. Sends customers_email_marketing_consent/update."""
        with self.shop.lock:
            customer, consent = self._consent(customer_id, state)
            customer.email_marketing = consent
            body = email_consent_body(self.shop, customer, consent)
        self.send("customers_email_marketing_consent/update", body)

    def set_sms_consent(self, customer_id: int, state: str) -> None:
        """The same for text messages. Sends customers_marketing_consent/update."""
        with self.shop.lock:
            customer, consent = self._consent(customer_id, state)
            customer.sms_marketing = consent
            body = sms_consent_body(self.shop, customer, consent)
        self.send("customers_marketing_consent/update", body)

    def set_whatsapp_consent(self, customer_id: int, state: str) -> None:
        """The same for WhatsApp. Sends customers_whats_app_marketing_consent/update."""
        with self.shop.lock:
            customer, consent = self._consent(customer_id, state)
            customer.whatsapp_marketing = consent
            body = whatsapp_consent_body(customer, consent)
        self.send("customers_whats_app_marketing_consent/update", body)

    def edit_customer(self, customer_id: int, shopper: Shopper) -> None:
        """A customer's record is changed by hand. Sends customers/update."""
        with self.shop.lock:
            customer = self.shop.find_customer(customer_id)
            customer.shopper, customer.updated_at = shopper, self.shop.now()
            body = customer_body(self.shop, customer)
        self.send("customers/update", body)

    def merge_customers(self, kept_id: int, merged_id: int) -> None:
        """
        Two customers become one; checkouts and orders follow. Sends customers/merge, then customers/update of the one that stays and
        customers/delete of the other.
        """
        with self.shop.lock:
            kept, merged = self.shop.find_customer(kept_id), self.shop.find_customer(merged_id)
            for checkout in self.shop.checkouts.values():
                checkout.customer = kept if checkout.customer is merged else checkout.customer
            for order in self.shop.orders.values():
                order.checkout.customer = kept if order.checkout.customer is merged else order.checkout.customer
            del self.shop.customers[merged_id]
            kept.updated_at = self.shop.now()
            bodies = [
                ("customers/merge", merge_body(kept_id, merged_id, next(self.shop.numbers))),
                ("customers/update", customer_body(self.shop, kept)),
                ("customers/delete", _deleted_customer(merged_id)),
            ]
        self.hooks.send(bodies)

    def delete_customer(self, customer_id: int) -> None:
        """A customer without orders is deleted. Sends customers/delete."""
        with self.shop.lock:
            self.shop.find_customer(customer_id)
            del self.shop.customers[customer_id]
        self.send("customers/delete", _deleted_customer(customer_id))

    def add_product(self, title: str, price: str, sku: str) -> int:
        """A new product with one variant; returns its id. Sends products/create."""
        with self.shop.lock:
            number = max((known - 7_900_000_000_000 for known in self.shop.products), default=0) + 1
            product = make_product(number, title, "News", 120, f"{title}, just in.", ("Default Title", sku, price))
            product.created_at = product.updated_at = self.shop.now()
            self.shop.products[product.id] = product
            body = product_body(self.shop, product)
        self.send("products/create", body)
        return product.id

    def edit_product(self, product_id: int, *, title: str | None = None, is_published: bool | None = None) -> None:
        """A product is renamed, taken off the storefront or put back. Sends products/update."""
        with self.shop.lock:
            product = self.shop.find_product(product_id)
            product.title = product.title if title is None else title
            product.is_published = product.is_published if is_published is None else is_published
            product.updated_at = self.shop.now()
            body = product_body(self.shop, product)
        self.send("products/update", body)

    def set_price(self, sku: str, price: str) -> None:
        """A variant costs something else from now on. Sends products/update; checkouts stay as they are until somebody opens them."""
        with self.shop.lock:
            product, variant = self.shop.find_variant(sku)
            variant.price, product.updated_at = Decimal(price), self.shop.now()
            body = product_body(self.shop, product)
        self.send("products/update", body)

    def set_stock(self, sku: str, number: int) -> None:
        """
        The stock of a variant is counted anew. Sends inventory_levels/update and products/update, and variants/out_of_stock or
        variants/in_stock if it begins or ceases to be sold out.
        """
        with self.shop.lock:
            product, variant = self.shop.find_variant(sku)
            was_available = variant.is_available
            variant.stock, product.updated_at = number, self.shop.now()
            bodies = [("inventory_levels/update", stock_body(self.shop, variant, product.updated_at))]
            bodies.append(("products/update", product_body(self.shop, product)))
            if variant.is_available is not was_available:
                topic = "variants/in_stock" if variant.is_available else "variants/out_of_stock"
                bodies.append((topic, variant_body(self.shop, product, variant)))
        self.hooks.send(bodies)

    def delete_product(self, product_id: int) -> None:
        """A product is gone for good. Sends products/delete, which holds its id only."""
        with self.shop.lock:
            self.shop.find_product(product_id)
            del self.shop.products[product_id]
        self.send("products/delete", {"id": product_id})

    def make_discount(self, code: str, percentage: int = 10, *, customers: Sequence[int] = ()) -> int:
        """
        The merchant makes a discount by hand, for everybody or for some customers only; returns its number. Sends discounts/create.

        Raises Refused with Shopify's words.
        """
        context: Body = {"customers": {"add": [f"gid://shopify/Customer/{one}" for one in customers]}} if customers else {"all": "ALL"}
        gets: Body = {"value": {"percentage": percentage / 100}, "items": {"all": True}}
        with self.shop.lock:
            wanted = {"title": code, "code": code, "startsAt": self.shop.now(), "context": context, "customerGets": gets}
            made, wrong = self.shop.discounts.create(BASIC, wanted)
        if made is None:
            raise Refused(wrong[0].message)
        return made.id

    def delete_discount(self, number: int) -> None:
        """The merchant takes a discount away. Sends discounts/delete."""
        with self.shop.lock:
            self.shop.discounts.delete(number)

    def expire_discount(self, number: int) -> None:
        """The end of a discount comes by itself. No webhook says so."""
        with self.shop.lock:
            self.shop.discounts.expire(number)

    def use_code(self, code: str) -> bool:
        """Somebody elsewhere uses a code; False if it is not honoured. No webhook says so."""
        with self.shop.lock:
            return self.shop.discounts.use(code)

    def change_scopes(self, scopes: Sequence[str]) -> None:
        """The merchant gives or takes permissions; living tokens have them at once. Sends app/scopes_update."""
        with self.shop.lock:
            previous = self.tokens.change_scopes(tuple(scopes))
            body = scopes_body(previous, scopes, self.shop.now())
        self.send("app/scopes_update", body)

    def update_shop(self, *, name: str | None = None, email: str | None = None, timezone: str | None = None) -> None:
        """The shop's own particulars change. Sends shop/update."""
        with self.shop.lock:
            self.shop.name = name or self.shop.name
            self.shop.contact_email = email or self.shop.contact_email
            self.shop.timezone = timezone or self.shop.timezone
            body = shop_body(self.shop) | {"updated_at": shop_time(self.shop, self.shop.now())}
        self.send("shop/update", body)

    def request_data(self, customer_id: int) -> int:
        """A shopper wants to know what is stored of them; returns the request's number. Sends customers/data_request."""
        with self.shop.lock:
            number = next(self.shop.numbers)
            body = data_request_body(self.shop.find_customer(customer_id), self._orders_of(customer_id), number)
        self.send("customers/data_request", body)
        return number

    def redact_customer(self, customer_id: int) -> None:
        """The privacy request to erase a customer. Sends customers/redact."""
        with self.shop.lock:
            shopper = self.shop.find_customer(customer_id).shopper
            orders = self._orders_of(customer_id)
        person = {"id": customer_id, "email": shopper.email, "phone": shopper.phone}
        self.send("customers/redact", {"shop_id": SHOP_ID, "shop_domain": DOMAIN, "customer": person, "orders_to_redact": orders})

    def redact_shop(self) -> None:
        """What follows 48 hours after an uninstall. Sends shop/redact."""
        self.send("shop/redact", {"shop_id": SHOP_ID, "shop_domain": DOMAIN})

    def uninstall(self) -> None:
        """
        The merchant removes the app: every token and every subscription of this shop alone dies, app/uninstalled is sent, nothing but
        privacy topics follows.
        """
        self.send("app/uninstalled", shop_body(self.shop))
        with self.shop.lock:
            self.tokens.revoke_all()
            self.shop.subscriptions.clear()

    def _consent(self, customer_id: int, state: str) -> tuple[Customer, Marketing]:
        customer, now = self.shop.find_customer(customer_id), self.shop.now()
        customer.updated_at = now
        return customer, Marketing(state, now)

    def _orders_of(self, customer_id: int) -> list[int]:
        email = self.shop.find_customer(customer_id).shopper.email
        return [order.id for order in self.shop.orders.values() if order.checkout.email == email]


def _deleted_customer(customer_id: int) -> Body:
    return {"id": customer_id, "tax_exemptions": [], "admin_graphql_api_id": f"gid://shopify/Customer/{customer_id}"}
