"""What following a cart's signed link does: it puts what is missing into the visitor's own cart, and says what has changed."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connector.errors import NotFound, Refused
from integrations.sandbox.woocommerce_actions import StoreActions
from integrations.sandbox.woocommerce_bodies import NEEDS_PAYMENT
from integrations.sandbox.woocommerce_cart import Cart
from integrations.sandbox.woocommerce_coupon_use import Cart as CouponCart
from integrations.sandbox.woocommerce_coupon_use import CouponRefused, apply_coupon
from integrations.sandbox.woocommerce_link import has_ended, token_of
from integrations.sandbox.woocommerce_store import Order, Session, Store, net_of

NOTICE = "Something has changed since your last visit."
ENDED = "This link has ended. It did not change your cart."
EMPTIED = "This cart was emptied, so nothing was added to yours."
NOT_SAVED = "This cart is no longer saved."
THANKS = "Thank you. The order of this cart has been received. Nothing was added to your cart."


@dataclass(frozen=True, slots=True)
class Restorer:
    """Follows links. Nobody is logged in, nothing that is known of a person is shown or filled in."""

    store: Store
    actions: StoreActions

    def follow(self, text: str, session_key: str) -> str | None:
        """
        Where the visitor with this session goes on: path and query. None if the link is none of this store's.

        A link that has ended changes nothing. A cart that the shopper emptied stays empty; one that became an order leads to its
        payment, or to where it says thank you.
        """
        plugin, now = self.store.plugin, self.store.now()
        with self.store.lock:
            session = self.store.sessions[session_key]
            try:
                token = token_of(plugin.link_key, text, now)
                if token is None and not has_ended(plugin.link_key, text, now):
                    return None
            except Refused:  # an empty or short key takes no links at all
                return None
            cart = plugin.carts.get(token or "")
            if cart is None or cart.status in {"forgotten", "emptied"}:
                return self._to_cart(session, ENDED if token is None else EMPTIED if cart and cart.status == "emptied" else NOT_SAVED)
            order = self.store.orders.get(cart.order_id)
            if order is not None and order.status != "cancelled":
                return self._to_order(cart, order, session)
            self._merge(cart, session)
        self.actions.watch.look(session_key)
        return "/cart/" if session.changes or not session.cart else "/checkout/"

    def _to_order(self, cart: Cart, order: Order, session: Session) -> str:
        """The order's stamp proves that this cart became it; a cart that was closed by its address must not open another's order."""
        if order.status not in NEEDS_PAYMENT:
            return self._to_cart(session, THANKS)
        return order.pay_path if order.cart_token == cart.token else self._to_cart(session, "")

    def _to_cart(self, session: Session, message: str) -> str:
        session.message, session.changes = message, ()
        return "/cart/"

    def _merge(self, cart: Cart, session: Session) -> None:
        """Only what is missing is added, the larger quantity stays, coupons are tried again."""
        changes: list[str] = []
        for line in cart.content.lines:
            changes += self._put(line, session)
        for code in cart.content.coupons:
            changes += self._try(code, cart, session)
        session.changes, session.message = tuple(changes), NOTICE if changes else ""
        session.locale = session.locale or cart.content.locale
        session.came_back_to = cart.token

    def _put(self, line: dict[str, Any], session: Session) -> list[str]:
        """One line into the cart; what there is to say about it."""
        name, wanted = line["name"], int(line["quantity"])
        try:
            item = self.store.make_item(str(line["variation_id"] or line["product_id"]), wanted)
        except NotFound:
            return [f"{name} is not sold any more."]
        left = item.product.stock_of(item.variation)
        if left is not None and left <= 0:
            return [f"{name} is sold out."]
        said = []
        if left is not None and left < wanted:
            said.append(f"Only {left} of {name} are left.")
        session.cart[item.reference] = max(session.cart.get(item.reference, 0), wanted if left is None else min(wanted, left))
        former = (Decimal(line["subtotal"]) + Decimal(line["subtotal_tax"])) / wanted
        if net_of(former * wanted) != net_of(item.price * wanted):
            said.append(f"The price of {name} has changed from {former:.2f} to {item.price:.2f} {self.store.currency}.")
        return said

    def _try(self, code: str, cart: Cart, session: Session) -> list[str]:
        """
        One coupon onto the visitor's cart, as if it were typed in there.

        The address of the cart's owner counts for coupons that ask for one; it is asked again when the order is placed.
        """
        if code in session.coupons:
            return []
        subtotal = sum((item.gross for item in self.store.fill(session.cart)), Decimal(0))
        try:
            tried = CouponCart(subtotal, session.contact.email or cart.who.email, session.customer_id)
            session.coupons = apply_coupon(self.store.coupons, code, session.coupons, tried)
        except CouponRefused:
            return [f"The coupon {code} is not valid any more."]
        return []
