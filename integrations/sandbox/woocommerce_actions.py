"""What shoppers do in the pretend WooCommerce store, and which webhooks each action causes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from connector.errors import NotFound, Refused
from integrations.sandbox.woocommerce_bodies import NEEDS_PAYMENT
from integrations.sandbox.woocommerce_capture import CartWatch
from integrations.sandbox.woocommerce_coupon_checks import CouponChecks
from integrations.sandbox.woocommerce_coupon_use import CouponRefused, apply_coupon
from integrations.sandbox.woocommerce_store import Contact, Customer, Order, Session, Store

SESSION_COOKIE = "wp_woocommerce_session"
UPDATED = ("order.updated",)
ADDED = ("action.woocommerce_add_to_cart",)
Fire = Callable[[tuple[str, ...], int | str], None]


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
    """
    Actions on one store; `fire` queues webhook topics for one record id. Safe to call from any thread.

    A shopper is known by the key of the session. Methods that take an order id act in the session whose draft that is.
    """

    def __init__(self, store: Store, fire: Fire) -> None:
        self.store = store
        self.watch = CartWatch(store, fire)
        self.checks = CouponChecks(store, self.contact_of)
        self._fire = fire

    def open_checkout(self, lines: Sequence[tuple[str, int]], customer_id: int = 0) -> int:
        """
        Fill a cart with `(SKU or product id, quantity)` lines and open the checkout page; returns the draft's id.

        A guest's draft has no contact data, a customer's has the account's. Sends order.updated. Raises NotFound, or Refused where
        opening the page makes no draft.
        """
        with self.store.lock:
            order = self.open_page(self.start_cart(lines, customer_id))
        if order is None:
            raise Refused("no order exists before it is placed: start a cart")
        return order.id

    def start_cart(self, lines: Sequence[tuple[str, int]], customer_id: int = 0) -> str:
        """A shopper comes and puts things into the cart; returns the session's key. Raises NotFound."""
        with self.store.lock:
            key = self.store.open_session(dict(lines))
            self.store.sessions[key].customer_id = customer_id
            keys = [item.key for item in self.store.fill(self.store.sessions[key].cart)]
        for item_key in keys:
            self._fire(ADDED, item_key)
        self.watch.look(key)
        return key

    def log_in(self, session_key: str, customer_id: int) -> None:
        """The shopper logs in; the session goes on."""
        self.store.sessions[session_key].customer_id = customer_id
        self.watch.look(session_key)

    def open_page(self, session_key: str) -> Order | None:
        """The checkout page of a session is opened: makes its draft if there is such a thing, or brings it up to date (order.updated)."""
        with self.store.lock:
            session = self.store.sessions[session_key]
            session.stage = "checkout"
            self._say(session, self.checks.prune(session))
            self.watch.name(session_key)
            order = self._draft(session)
        self.watch.look(session_key)
        if order is not None:
            self._fire(UPDATED, order.id)
        return order

    def type_contact(self, order_id: int, email: str = "", phone: str = "", name: str = "", country: str = "") -> None:
        """The shopper types contact data; empty texts leave what was there. Sends order.updated."""
        order = self.store.find_order(order_id)
        self.type_into(self._key_of(order), email, phone, name, country, order=order)

    def type_into(
        self, session_key: str, email: str = "", phone: str = "", name: str = "", country: str = "", *, order: Order | None = None
    ) -> None:
        """The shopper types contact data into the checkout page of a session, into its draft (order.updated) or `order`."""
        first, _, last = name.partition(" ")
        typed = {"email": email, "phone": phone, "first_name": first, "last_name": last, "country": country}
        given = {key: value for key, value in typed.items() if value}
        with self.store.lock:
            session = self.store.sessions[session_key]
            session.contact = replace(session.contact, **given)
            self.watch.name(session_key)
            written = order or self.order_of(session)
            if written is not None:
                written.contact = replace(written.contact, **given)
                self._stamp(session, written)
                self._touch(written)
        self.watch.look(session_key)
        if written is not None:
            self._fire(UPDATED, written.id)

    def try_code(self, session_key: str, code: str) -> None:
        """The shopper types a coupon code into the cart or the checkout page. Raises CouponRefused with the store's words."""
        with self.store.lock:
            session = self.store.sessions[session_key]
            session.coupons = apply_coupon(self.store.coupons, code, session.coupons, self.checks.cart_of(session))
            is_at_checkout = session.stage == "checkout"
        if is_at_checkout:
            self.open_page(session_key)
        else:
            self.watch.look(session_key)

    def apply_code(self, session_key: str, code: str) -> bool:
        """As try_code; whether the store took it."""
        try:
            self.try_code(session_key, code)
        except CouponRefused:
            return False
        return True

    def change_quantity(self, order_id: int, reference: str, quantity: int) -> None:
        """
        Set the quantity of a SKU or id in the cart behind a draft, 0 removes it. Sends order.updated.

        Emptying the cart changes nothing in the draft: WooCommerce leaves the old lines there and sends nothing.
        """
        self.set_quantity(self._key_of(self.store.find_order(order_id)), reference, quantity)

    def set_quantity(self, session_key: str, reference: str, quantity: int) -> None:
        """As change_quantity, for a session that may have no draft."""
        with self.store.lock:
            session = self.store.sessions[session_key]
            item = self.store.make_item(reference, quantity)
            is_new = item.reference not in session.cart
            session.cart = {key: value for key, value in (session.cart | {item.reference: quantity}).items() if value > 0}
            order, items = self.order_of(session), self.store.fill(session.cart, session.coupons)
            if order is not None and items:
                order.items = items
                self._touch(order)
        if is_new:
            self._fire(ADDED, item.key)
        self.watch.look(session_key)
        if order is not None and items:
            self._fire(UPDATED, order.id)

    def place_order(self, order_id: int, method: str = "card") -> str:
        """
        Press "Place order" (or pay again after a failure); returns the new status.

        `method`: card (processing, paid), bacs (on-hold), cod (processing), offsite (pending), declined (failed).
        Sends order.updated, and order.created when the order leaves its draft. Raises NotFound, or Refused for an
        order that needs no payment or has no e-mail address, CouponsRemoved if a coupon in it is not good any more.
        """
        way = METHODS[method]
        with self.store.lock:
            order = self.store.find_order(order_id)
            self._check_payable(order)
            was_draft = order.status == "checkout-draft"
            if was_draft:
                self._check_coupons(order)
            order.status, order.method, order.method_title = way.status, way.id, way.title
            order.modified_at = self.store.now()
            order.paid_at = order.modified_at if way.is_paid else None
            self._count_coupons(order)
            self._leave_cart(order)
        self._fire(("order.updated", "order.created") if was_draft else UPDATED, order_id)
        self._fire(("action.woocommerce_order_status_changed",), order_id)
        self.watch.close(order)
        return way.status

    def buy(self, session_key: str, method: str = "card", *, makes_account: bool = False) -> Order:
        """
        Place the order of a session, with a draft or without; on the classic checkout the shopper may make an account while paying.

        Sends what place_order sends. Raises Refused for an empty cart or a missing e-mail address, and as place_order.
        """
        with self.store.lock:
            session = self.store.sessions[session_key]
            order = self.order_of(session)
            if session.cart:
                self._check_session(session, order)
            if order is None:
                items = self.store.fill(session.cart, session.coupons)
                if not items:
                    raise Refused("the cart is empty")
                order = self.store.open_order(items, self.contact_of(session), session.customer_id)
                order.coupons, session.order_id = list(session.coupons), order.id
            if not order.contact.email:
                raise Refused("the store asks for an e-mail address before an order can be placed")
            if makes_account:
                order.customer_id = session.customer_id = self.add_customer(order.contact)
            self._stamp(session, order)
        self.place_order(order.id, method)
        return order

    def add_customer(self, contact: Contact, role: str = "customer") -> int:
        """Somebody registers; returns the id. Sends customer.updated and customer.created, for subscribers too."""
        with self.store.lock:
            now = self.store.now()
            customer = Customer(next(self.store.numbers), contact, now, now, role)
            self.store.customers[customer.id] = customer
        self._fire(("customer.updated", "customer.created"), customer.id)
        return customer.id

    def session_cookie(self, order_id: int) -> tuple[str, str]:
        """Name and value of the cookie in the browser that opened this checkout. Raises NotFound."""
        return SESSION_COOKIE, self._key_of(self.store.find_order(order_id))

    def order_of(self, session: Session) -> Order | None:
        """The order of a session that can still be placed."""
        order = self.store.orders.get(session.order_id or 0)
        return order if order is not None and order.status in NEEDS_PAYMENT else None

    def contact_of(self, session: Session) -> Contact:
        """What was typed in this session, else what the account says."""
        known = self.store.customers.get(session.customer_id)
        if known is None:
            return session.contact
        typed = {name: value for name in known.contact.__slots__ if (value := getattr(session.contact, name))}
        return replace(known.contact, **typed)

    def _draft(self, session: Session) -> Order | None:
        """The session's order with today's cart in it; a new draft where the store makes drafts."""
        order = self.order_of(session)
        if order is None:
            if not self.store.has_drafts:
                return None
            order = self.store.open_order(self.store.fill(session.cart, session.coupons), self.contact_of(session), session.customer_id)
            session.order_id = order.id
        elif session.cart:
            order.items = self.store.fill(session.cart, session.coupons)
            self._touch(order)
        order.coupons = list(session.coupons)
        self._stamp(session, order)
        return order

    def _check_coupons(self, order: Order) -> None:
        """The last look at the coupons of a draft; one that no shopper has open has nobody to say it to."""
        session = next((one for one in self.store.sessions.values() if one.order_id == order.id), None)
        if session is not None and session.cart:
            self._check_session(session, order)

    def _check_session(self, session: Session, order: Order | None) -> None:
        """The order, if there is one, has the coupons of the cart afterwards. Raises CouponsRemoved."""
        try:
            self.checks.check_order(session)
        finally:
            if order is not None and order.coupons != session.coupons:
                order.items, order.coupons = self.store.fill(session.cart, session.coupons), list(session.coupons)
                self._touch(order)

    def _say(self, session: Session, removed: dict[str, str]) -> None:
        """Coupons that were taken out are told on the next page."""
        words = self.checks.told(removed).replace("&quot;", '"')
        session.message = " ".join(filter(None, [session.message, words]))

    def _touch(self, order: Order) -> None:
        """The order changed. With the old storage a draft's date stays what it was."""
        if self.store.hpos or order.status != "checkout-draft":
            order.modified_at = self.store.now()

    def _stamp(self, session: Session, order: Order) -> None:
        """The plugin leaves its cart's name in the order: the session's if it is kept or new, else that of a followed link."""
        token = session.token if session.token in self.store.plugin.carts or not session.came_back_to else session.came_back_to
        if self.store.plugin.is_active and (not order.cart_token or order.status == "checkout-draft"):
            order.cart_token = token

    def _count_coupons(self, order: Order) -> None:
        """Coupons count as used by whoever placed the order, and no more once it is cancelled; nothing is sent about it."""
        person = str(order.customer_id) if order.customer_id else order.contact.email
        self.store.coupons.note_status(order.id, order.status, order.coupons, person)

    def _leave_cart(self, order: Order) -> None:
        """What is bought is not in the cart any more; the cart of an unpaid order stays."""
        for session in self.store.sessions.values():
            if session.order_id == order.id and order.status not in NEEDS_PAYMENT:
                session.cart, session.coupons, session.came_back_to = {}, [], ""

    def _check_payable(self, order: Order) -> None:
        if order.status not in NEEDS_PAYMENT:
            raise Refused(f"this order is {order.status}: there is nothing to pay")
        if not order.contact.email:
            raise Refused("the store asks for an e-mail address before an order can be placed")

    def _key_of(self, order: Order) -> str:
        with self.store.lock:
            for key, session in self.store.sessions.items():
                if session.order_id == order.id:
                    return key
        raise NotFound("no session belongs to this order")
