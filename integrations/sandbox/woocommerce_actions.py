"""What shoppers and the merchant do in the pretend WooCommerce store, and which webhooks each action causes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from connector.errors import NotFound, Refused
from integrations.sandbox.woocommerce_bodies import NEEDS_PAYMENT
from integrations.sandbox.woocommerce_store import Contact, Customer, Order, Store

SESSION_COOKIE = "wp_woocommerce_session"
DRAFT_LIFE = timedelta(hours=24)
UPDATED = ("order.updated",)


@dataclass(frozen=True, slots=True)
class Method:
    """A way to pay and the status an order has right after placing it."""

    id: str
    title: str
    status: str
    is_paid: bool = False


METHODS = {
    "card": Method("card", "Carte bancaire", "processing", is_paid=True),
    "bacs": Method("bacs", "Virement bancaire", "on-hold"),
    "cod": Method("cod", "Paiement à la livraison", "processing"),
    "offsite": Method("offsite", "Carte bancaire (hors site)", "pending"),
    "declined": Method("declined", "Carte refusée", "failed"),
}


class StoreActions:
    """Actions on one store; `fire` queues webhook topics for one record id. Safe to call from any thread."""

    def __init__(self, store: Store, fire: Callable[[tuple[str, ...], int], None]) -> None:
        self.store = store
        self._fire = fire

    def open_checkout(self, lines: Sequence[tuple[str, int]], customer_id: int = 0) -> int:
        """
        Fill a cart with `(SKU or product id, quantity)` lines and open the checkout page; returns the draft's id.

        A guest's draft has no contact data, a customer's has the account's. Sends order.updated. Raises NotFound.
        """
        with self.store.lock:
            key = self.store.open_session(dict(lines))
            return self.open_page(key, customer_id).id

    def open_page(self, session_key: str, customer_id: int = 0) -> Order:
        """The checkout page of a session is opened: makes its draft, or brings the existing one up to date. Sends order.updated."""
        with self.store.lock:
            session = self.store.sessions[session_key]
            order = self.store.orders.get(session.order_id or 0)
            if order is None or order.status not in NEEDS_PAYMENT:
                known = self.store.customers.get(customer_id)
                order = self.store.open_draft(session.cart, known.contact if known else Contact(), customer_id)
                session.order_id = order.id
            elif session.cart:
                order.items = self.store.fill(session.cart)
                order.modified_at = self.store.now()
        self._fire(UPDATED, order.id)
        return order

    def type_contact(self, order_id: int, email: str = "", phone: str = "", name: str = "", country: str = "") -> None:
        """The shopper types contact data; empty texts leave what was there. Sends order.updated."""
        first, _, last = name.partition(" ")
        typed = {"email": email, "phone": phone, "first_name": first, "last_name": last, "country": country}
        with self.store.lock:
            order = self.store.find_order(order_id)
            order.contact = replace(order.contact, **{key: value for key, value in typed.items() if value})
            order.modified_at = self.store.now()
        self._fire(UPDATED, order_id)

    def change_quantity(self, order_id: int, reference: str, quantity: int) -> None:
        """
        Set the quantity of a SKU or id in the cart behind a draft, 0 removes it. Sends order.updated.

        Emptying the cart changes nothing here: WooCommerce leaves the old lines in the draft and sends nothing.
        """
        with self.store.lock:
            order = self.store.find_order(order_id)
            cart = {str(item.variation.id if item.variation else item.product.id): item.quantity for item in order.items}
            item = self.store.make_item(reference, quantity)
            cart[str(item.variation.id if item.variation else item.product.id)] = quantity
            items = self.store.fill(cart)
            if not items:
                return
            order.items, order.modified_at = items, self.store.now()
        self._fire(UPDATED, order_id)

    def place_order(self, order_id: int, method: str = "card") -> str:
        """
        Press "Place order" (or pay again after a failure); returns the new status.

        `method`: card (processing, paid), bacs (on-hold), cod (processing), offsite (pending), declined (failed).
        Sends order.updated, and order.created when the order leaves its draft. Raises NotFound, or Refused for an
        order that needs no payment or has no e-mail address.
        """
        way = METHODS[method]
        with self.store.lock:
            order = self.store.find_order(order_id)
            if order.status not in NEEDS_PAYMENT:
                raise Refused(f"this order is {order.status}: there is nothing to pay")
            if not order.contact.email:
                raise Refused("the store asks for an e-mail address before an order can be placed")
            was_draft = order.status == "checkout-draft"
            order.status, order.method, order.method_title = way.status, way.id, way.title
            order.modified_at = self.store.now()
            order.paid_at = order.modified_at if way.is_paid else None
        self._fire(("order.updated", "order.created") if was_draft else UPDATED, order_id)
        return way.status

    def set_status(self, order_id: int, status: str) -> None:
        """The merchant (or time) moves an order: processing, completed, cancelled, refunded, …. Sends order.updated."""
        with self.store.lock:
            order = self.store.find_order(order_id)
            order.status, order.modified_at = status, self.store.now()
            if status in {"processing", "completed"}:
                order.paid_at = order.paid_at or order.modified_at
            if status == "completed":
                order.completed_at = order.modified_at
        self._fire(UPDATED, order_id)

    def trash_order(self, order_id: int) -> None:
        """The merchant moves an order to the trash. Sends order.deleted."""
        with self.store.lock:
            order = self.store.find_order(order_id)
            order.status, order.modified_at = "trash", self.store.now()
        self._fire(("order.deleted",), order_id)

    def clean_drafts(self) -> int:
        """WooCommerce's daily job: drafts untouched for 24 hours vanish without a webhook. Returns how many."""
        with self.store.lock:
            limit = self.store.now() - DRAFT_LIFE
            old = [one.id for one in self.store.orders.values() if one.status == "checkout-draft" and one.modified_at <= limit]
            for order_id in old:
                del self.store.orders[order_id]
        return len(old)

    def add_customer(self, contact: Contact) -> int:
        """Somebody registers; returns the customer id. Sends customer.updated and customer.created."""
        with self.store.lock:
            now = self.store.now()
            customer = Customer(next(self.store.numbers), contact, now, now)
            self.store.customers[customer.id] = customer
        self._fire(("customer.updated", "customer.created"), customer.id)
        return customer.id

    def session_cookie(self, order_id: int) -> tuple[str, str]:
        """Name and value of the cookie in the browser that opened this checkout. Raises NotFound."""
        with self.store.lock:
            for key, session in self.store.sessions.items():
                if session.order_id == order_id:
                    return SESSION_COOKIE, key
        raise NotFound("no session belongs to this order")
