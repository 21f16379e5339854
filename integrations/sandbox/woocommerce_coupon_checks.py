"""
Whether the coupons of a shopper's cart are still good: looked at with every page of the cart, and once more when the order is placed.

What is not good any more is taken out and said, and nothing is ordered until the shopper has seen it. Block and classic checkout look
at different things at the end. Source: OrderController.php and CartController.php of the Store API, class-wc-cart.php (9.9.5 to 11.0.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from connector.errors import Refused
from integrations.sandbox.woocommerce_bodies import NEEDS_PAYMENT
from integrations.sandbox.woocommerce_coupon_use import Cart, expects, refusal, uses_of
from integrations.sandbox.woocommerce_coupons import Coupon
from integrations.sandbox.woocommerce_store import Contact, Session, Store

FIRST_WITH_ACCOUNTS = (10, 3)
"""Before, the block checkout compared an e-mail lock with the billing address alone; the classic one always with both."""


class CouponsRemoved(Refused):
    """Coupons were taken out of the cart instead of placing the order: by code why, HTML-escaped as the store says it."""

    def __init__(self, words: str, reasons: Mapping[str, str]) -> None:
        super().__init__(words.replace("&quot;", '"'))
        self.reasons = dict(reasons)


@dataclass(frozen=True, slots=True)
class CouponChecks:
    """The looks that one store takes; `contact_of` knows what was typed in a session, or stands in its account."""

    store: Store
    contact_of: Callable[[Session], Contact]

    def cart_of(self, session: Session) -> Cart:
        """What a checkout knows of this session when a coupon is tried."""
        subtotal = sum((item.gross for item in self.store.fill(session.cart)), Decimal(0))
        order = self.store.orders.get(session.order_id or 0)
        again = order.id if order is not None and order.status in NEEDS_PAYMENT else 0
        return Cart(subtotal, self.contact_of(session).email, session.customer_id, self._account_email(session), again)

    def prune(self, session: Session) -> dict[str, str]:
        """Take out what is not good any more; by code why. Of guests' former uses nothing is known before the order is placed."""
        cart = self.cart_of(session)
        return self._take_out(session, {code: refusal(self.store.coupons, code, cart, is_last=False) for code in session.coupons})

    def told(self, removed: Mapping[str, str]) -> str:
        """What a page says of coupons that were taken out; the classic checkout does not say why."""
        if self.store.checkout == "classic":
            sorry = "Sorry, it seems the coupon &quot;{}&quot; is invalid - it has now been removed from your order."
            return " ".join(sorry.format(code) for code in removed)
        return " ".join(f"The &quot;{code}&quot; coupon has been removed from your cart: {reason}" for code, reason in removed.items())

    def check_order(self, session: Session) -> None:
        """
        The last look, with the e-mail address that the order is placed with. Raises CouponsRemoved, and Refused for what stays in the cart:
        on the classic checkout a guest who has used it takes it out by hand.
        """
        removed = self.prune(session)
        cart = self.cart_of(session)
        last = {code: self._last_refusal(code, cart) for code in session.coupons}
        if self.store.checkout == "block":
            removed |= self._take_out(session, last)
        if removed:
            raise CouponsRemoved(self.told(removed), removed)
        if any(last.values()):
            raise Refused(" ".join(filter(None, last.values())).replace("&quot;", '"'))

    def _take_out(self, session: Session, reasons: Mapping[str, str]) -> dict[str, str]:
        removed = {code: reason for code, reason in reasons.items() if reason}
        session.coupons = [code for code in session.coupons if code not in removed]
        return removed

    def _last_refusal(self, code: str, cart: Cart) -> str:
        """What only placing the order looks at: whether that person has had it, also under another name."""
        coupon = self.store.coupons.by_code(code)
        if coupon is None:
            return ""
        is_block = self.store.checkout == "block"
        if coupon.emails and is_block and self.store.release < FIRST_WITH_ACCOUNTS and not expects(coupon, (cart.email,)):
            return f"Please enter a valid email at checkout to use coupon code &quot;{coupon.code}&quot;."
        return self._too_often(coupon, cart, is_block=is_block)

    def _too_often(self, coupon: Coupon, cart: Cart, *, is_block: bool) -> str:
        """The block checkout knows a guest for the customer who has the same address; the classic one looks at the address alone."""
        each = coupon.limits["usage_limit_per_user"]
        if each is None or (cart.customer_id and not is_block):
            return ""
        names = {cart.email.lower(), cart.account_email.lower(), str(cart.customer_id or "")}
        if is_block and not cart.customer_id:
            names |= {str(one.id) for one in self.store.customers.values() if one.contact.email.lower() == cart.email.lower()}
        uses = sum(uses_of(self.store.coupons, coupon, name, cart) for name in names - {""})
        return f"Usage limit for coupon &quot;{coupon.code}&quot; has been reached." if uses >= each else ""

    def _account_email(self, session: Session) -> str:
        known = self.store.customers.get(session.customer_id)
        return known.contact.email if known is not None else ""
