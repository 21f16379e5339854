"""The pretend companion plugin's eyes: which carts it keeps, when one is written, and what closes it."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from integrations.sandbox.woocommerce_cart import Cart, Consent, Content, Site, Who, snapshot
from integrations.sandbox.woocommerce_link import link_of
from integrations.sandbox.woocommerce_store import CENT, Contact, Item, Order, Session, Store

TOPIC = "action.wc_connector_cart"
REST_AFTER_ORDER = timedelta(minutes=5)
WAITING = frozenset({"pending", "failed"})
NOT_BOUGHT = WAITING | {"cancelled", "checkout-draft", "trash"}
WORDINGS = {"email": "Je souhaite recevoir des nouvelles par e-mail.", "sms": "Je souhaite recevoir des nouvelles par SMS."}


class CartWatch:
    """
    Looks at a session once at the end of each request, and at an order whenever its status changes.

    `fire` queues the plugin's topic for a token. Nothing is kept before an e-mail address or phone number is known.
    """

    def __init__(self, store: Store, fire: Callable[[tuple[str, ...], str], None]) -> None:
        self._store = store
        self._fire = fire

    def name(self, session_key: str) -> None:
        """Give the session's cart its name, known to nobody yet; orders and drafts carry it from the start."""
        with self._store.lock:
            session = self._store.sessions[session_key]
            if self._may_look(session) and (not session.token or self._is_over(session.token)):
                session.token = secrets.token_hex(16)

    def look(self, session_key: str) -> None:
        """Write the session's cart if something about it changed, and tell. One write, one number."""
        with self._store.lock:
            session = self._store.sessions[session_key]
            token = self._write(session) if self._may_look(session) else None
        if token:
            self._fire((TOPIC,), token)

    def consent(self, session_key: str, channel: str, *, is_given: bool) -> None:
        """The shopper ticks or unticks a box; wording and time are kept."""
        with self._store.lock:
            session = self._store.sessions[session_key]
            state = "subscribed" if is_given else "unsubscribed"
            source = "classic" if self._store.checkout == "classic" else "block"
            session.consents[channel] = Consent(channel, state, self._store.now(), WORDINGS[channel], source)
        self.look(session_key)

    def opt_out(self, session_key: str) -> None:
        """ "No thanks": the cart is deleted but for its name, and this session is not looked at again."""
        with self._store.lock:
            session = self._store.sessions[session_key]
            session.is_opted_out = True
            token, session.token = session.token, ""
        self.forget(token)

    def forget(self, token: str) -> None:
        """Delete what is known of a cart; only its name, number, status and times stay."""
        with self._store.lock:
            cart = self._store.plugin.carts.get(token)
            if cart is None or cart.status == "forgotten":
                return
            cart.status, cart.who, cart.content, cart.consents, cart.order_id = "forgotten", Who(), Content("", ""), (), 0
            self._bump(cart)
        self._fire((TOPIC,), token)

    def close(self, order: Order) -> None:
        """An order was placed or changed its status: its cart waits for payment, or all carts of that person are bought."""
        with self._store.lock:
            if not self._is_on() or order.status in NOT_BOUGHT - WAITING:
                return
            status = "placed" if order.status in WAITING else "ordered"
            closed = [cart for cart in self._store.plugin.carts.values() if self._is_closed_by(cart, order, status)]
            for cart in closed:
                cart.status, cart.order_id = status, order.id
                self._bump(cart)
            for session in self._store.sessions.values():
                if session.order_id == order.id or session.token in {cart.token for cart in closed}:
                    session.token, session.resting_until = "", self._store.now() + REST_AFTER_ORDER
        for cart in closed:
            self._fire((TOPIC,), cart.token)

    def snapshot(self, cart: Cart) -> dict[str, Any]:
        """The cart as it is sent and listed now."""
        store, plugin = self._store, self._store.plugin
        site = Site(plugin.version, store.version, store.wordpress, store.home)
        return snapshot(cart, site, link_of(plugin.link_key, cart.token, store.now(), store.home))

    def _is_on(self) -> bool:
        """A copy of the site at another address catches and sends nothing."""
        return self._store.plugin.is_active and self._store.plugin.home == self._store.home

    def _is_over(self, token: str) -> bool:
        cart = self._store.plugin.carts.get(token)
        return cart is not None and cart.is_final

    def _may_look(self, session: Session) -> bool:
        store = self._store
        user = store.customers.get(session.customer_id)
        mode = store.plugin.capture
        if not self._is_on() or session.is_opted_out or (user is not None and user.role == "administrator"):
            return False
        if session.resting_until is not None and store.now() < session.resting_until:
            return False
        has_agreed = any(one.state == "subscribed" for one in session.consents.values())
        return mode == "everyone" or (mode == "logged_in" and user is not None) or (mode == "opt_in" and has_agreed)

    def _write(self, session: Session) -> str | None:
        """The token if something was written."""
        store = self._store
        who, items = self._who(session), store.fill(session.cart, session.coupons)
        cart = self._cart_of(session, who)
        if not who.can_be_written_to or (cart is None and not sum(item.paid for item in items)):
            return None
        content = content_of(store, items, session)
        stage, consents = session.stage, tuple(session.consents.values())
        if cart is not None:
            who, consents = _completed(who, cart.who), consents or cart.consents
            stage = "checkout" if cart.stage == "checkout" else stage
        told = (who, content, "open" if items else "emptied", stage, consents)
        if cart is None:
            now = store.now()
            free = session.token and session.token not in store.plugin.carts
            cart = Cart(session.token if free else secrets.token_hex(16), now, now, content)
            store.plugin.carts[cart.token] = cart
        elif told == (cart.who, cart.content, cart.status, cart.stage, cart.consents):
            return None
        session.token = cart.token
        cart.who, cart.content, cart.status, cart.stage, cart.consents = told
        self._bump(cart)
        return cart.token

    def _cart_of(self, session: Session, who: Who) -> Cart | None:
        """The session's cart; that of a followed link only for the person whose it is."""
        carts = self._store.plugin.carts
        cart = carts.get(session.token)
        if cart is None and (back := carts.get(session.came_back_to)) is not None and is_same_person(back.who, who):
            cart = back
        return None if cart is None or cart.is_final else cart

    def _who(self, session: Session) -> Who:
        """What was typed, else what the account says."""
        user = self._store.customers.get(session.customer_id)
        typed, known = session.contact, user.contact if user else Contact(country="")
        return Who(
            session.customer_id,
            typed.email or known.email,
            typed.phone or known.phone,
            typed.first_name or known.first_name,
            typed.last_name or known.last_name,
            typed.country or known.country,
        )

    def _is_closed_by(self, cart: Cart, order: Order, status: str) -> bool:
        """By token; what is bought closes all open carts of that person, by account and by address."""
        if cart.status in {"ordered", "forgotten"} or (status == "placed" and cart.status == "placed"):
            return False
        if cart.token == order.cart_token or (cart.order_id and cart.order_id == order.id):
            return True
        who = Who(order.customer_id, order.contact.email)
        return status == "ordered" and cart.status in {"open", "emptied"} and is_same_person(cart.who, who)

    def _bump(self, cart: Cart) -> None:
        cart.seq += 1
        cart.updated_at = max(self._store.now(), cart.updated_at)


def _completed(who: Who, before: Who) -> Who:
    """What is not known now leaves what was known."""
    return Who(**{name: getattr(who, name) or getattr(before, name) for name in Who.__slots__})


def is_same_person(one: Who, other: Who) -> bool:
    """The same account, or the same address however it is written."""
    if one.customer_id and one.customer_id == other.customer_id:
        return True
    return bool(one.email) and one.email.strip().lower() == other.email.strip().lower()


def content_of(store: Store, items: list[Item], session: Session) -> Content:
    """Lines, coupons and sums of a cart, as the shopper sees them now."""
    now = Order(0, "", store.now(), store.now(), items)
    subtotal = sum((item.net for item in items), Decimal(0))
    subtotal_tax = sum((item.gross - item.net for item in items), Decimal(0))
    totals = {
        "subtotal": subtotal,
        "subtotal_tax": subtotal_tax,
        "discount": now.discount_net,
        "discount_tax": now.discount_tax,
        "shipping": now.shipping_net,
        "shipping_tax": now.shipping_tax,
        "fees": Decimal(0),
        "tax": now.cart_tax + now.shipping_tax,
        "total": now.total,
    }
    return Content(
        currency=store.currency,
        locale=session.locale or store.locale,
        lines=tuple(_line(item) for item in items),
        coupons=tuple(session.coupons),
        shipping=("Colissimo" if items else "", _text(now.shipping_net), _text(now.shipping_tax)),
        totals=tuple((name, _text(amount)) for name, amount in totals.items()),
    )


def _line(item: Item) -> dict[str, Any]:
    product, variation = item.product, item.variation
    return {
        "key": item.key,
        "product_id": product.id,
        "variation_id": variation.id if variation else 0,
        "attributes": {product.attribute.lower(): variation.option} if variation else {},
        "name": item.name,
        "sku": variation.sku if variation else product.sku,
        "quantity": str(item.quantity),
        "subtotal": _text(item.net),
        "subtotal_tax": _text(item.gross - item.net),
        "total": _text(item.paid_net),
        "total_tax": _text(item.paid - item.paid_net),
        "image": product.image_url,
        "url": product.url,
    }


def _text(amount: Decimal) -> str:
    return str(amount.quantize(CENT))
