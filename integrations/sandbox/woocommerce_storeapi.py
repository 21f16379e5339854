"""The part of WooCommerce's Store API that a block checkout uses: the cart, the typed address, coupons, placing the order."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from connector.errors import NotFound, Refused
from integrations.sandbox.web import Call, route
from integrations.sandbox.woocommerce_actions import METHODS, SESSION_COOKIE, StoreActions
from integrations.sandbox.woocommerce_answers import answer, error, object_of
from integrations.sandbox.woocommerce_coupon_checks import CouponsRemoved
from integrations.sandbox.woocommerce_coupon_use import CouponRefused
from integrations.sandbox.woocommerce_store import Contact, Item, Order, Session, Store

API = "/wp-json/wc/store/v1"
Json = dict[str, Any]
MONEY = {
    "currency_code": "EUR",
    "currency_symbol": "€",
    "currency_minor_unit": 2,
    "currency_decimal_separator": ",",
    "currency_thousand_separator": " ",
    "currency_prefix": "",
    "currency_suffix": " €",
}


def nonce_of(session_key: str) -> str:
    """What a page gives its script, so that only this session's pages can act in it."""
    return hashlib.blake2b(session_key.encode(), person=b"wc_store_api", digest_size=5).hexdigest()


@dataclass(frozen=True, slots=True)
class StoreApi:
    """Endpoints for shoppers; the session is the cookie's, one that is missing is opened."""

    store: Store
    actions: StoreActions

    def routes(self) -> list[Route]:
        """All routes below /wp-json/wc/store/v1."""
        return [
            route(f"{API}/cart", self._cart),
            route(f"{API}/cart/add-item", self._acting(self._add), "POST"),
            route(f"{API}/cart/update-item", self._acting(self._update), "POST"),
            route(f"{API}/cart/remove-item", self._acting(self._remove), "POST"),
            route(f"{API}/cart/update-customer", self._acting(self._type), "POST"),
            route(f"{API}/cart/apply-coupon", self._acting(self._coupon), "POST"),
            route(f"{API}/cart/remove-coupon", self._acting(self._no_coupon), "POST"),
            route(f"{API}/checkout", self._acting(self._checkout), "POST"),
        ]

    def _cart(self, call: Call) -> Response:
        key = call.cookie(SESSION_COOKIE) or ""
        with self.store.lock:
            if key not in self.store.sessions:
                key = self.store.open_session({})
            made = answer(self._body(self.store.sessions[key]))
        made.headers["Nonce"] = nonce_of(key)
        made.set_cookie(SESSION_COOKIE, key, max_age=172_800, httponly=True, samesite="lax")
        return made

    def _acting(self, handler: Callable[[str, Session, Json], Response]) -> Callable[[Call], Response]:
        """Behind the nonce; a session that nobody opened has none."""

        def acting(call: Call) -> Response:
            key, nonce = call.cookie(SESSION_COOKIE) or "", call.headers.get("nonce")
            if nonce is None:
                words = "Missing the Nonce header. This endpoint requires a valid nonce."
                return error("woocommerce_rest_missing_nonce", words, 401)
            session = self.store.sessions.get(key)
            if session is None or nonce != nonce_of(key):
                return error("woocommerce_rest_invalid_nonce", "Nonce is invalid.", 403)
            fields = object_of(call)
            return fields if isinstance(fields, Response) else handler(key, session, fields)

        return acting

    def _add(self, key: str, session: Session, fields: Json) -> Response:
        try:
            item = self.store.make_item(str(fields.get("id")), int(fields.get("quantity", 1)))
        except NotFound:
            words = "This product cannot be added to the cart."
            return error("woocommerce_rest_cart_invalid_product", words, 400)
        left = item.product.stock_of(item.variation)
        if left is not None and left <= 0:
            words = f"You cannot add &quot;{item.name}&quot; to the cart because the product is out of stock."
            return error("woocommerce_rest_product_out_of_stock", words, 400)
        self.actions.set_quantity(key, item.reference, session.cart.get(item.reference, 0) + item.quantity)
        return answer(self._body(session), 201)

    def _update(self, key: str, session: Session, fields: Json) -> Response:
        return self._set(key, session, fields, int(fields.get("quantity", 1)))

    def _remove(self, key: str, session: Session, fields: Json) -> Response:
        return self._set(key, session, fields, 0)

    def _set(self, key: str, session: Session, fields: Json, quantity: int) -> Response:
        item = next((one for one in self.store.fill(session.cart) if one.key == fields.get("key")), None)
        if item is None:
            return error("woocommerce_rest_cart_invalid_key", "Cart item no longer exists or is invalid.", 409)
        self.actions.set_quantity(key, item.reference, quantity)
        return answer(self._body(session))

    def _type(self, key: str, session: Session, fields: Json) -> Response:
        """What the block pushes while somebody types; partial addresses are taken, an address that is none is not."""
        billing = fields.get("billing_address") or {}
        email = str(billing.get("email", ""))
        if email and "@" not in email:
            params = {"billing_address": "Invalid email address."}
            return error("rest_invalid_param", "Invalid parameter(s): billing_address", 400, params=params)
        name = f"{billing.get('first_name', '')} {billing.get('last_name', '')}".strip()
        self.actions.type_into(key, email, str(billing.get("phone", "")), name, str(billing.get("country", "")))
        return answer(self._body(session))

    def _coupon(self, key: str, session: Session, fields: Json) -> Response:
        try:
            self.actions.try_code(key, str(fields.get("code", "")))
        except CouponRefused as refused:
            words = str(refused)
            details = {"cart": words, "checkout": words.replace(" at checkout", "")} if " at checkout" in words else None
            return error("woocommerce_rest_cart_coupon_error", words, 400, **({"details": details} if details else {}))
        return answer(self._body(session))

    def _no_coupon(self, key: str, session: Session, fields: Json) -> Response:
        session.coupons = [code for code in session.coupons if code != fields.get("code")]
        self.actions.watch.look(key)
        return answer(self._body(session))

    def _checkout(self, key: str, session: Session, fields: Json) -> Response:
        """
        Place the order. A payment that is declined is a 400; the order stays, and stays payable, as `failed`.

        Coupons are looked at twice, before and after the address that comes with the request; what goes is a 409, and nothing is ordered.
        """
        if errors := self._removed(session):
            return error(errors[0]["code"], errors[0]["message"], 409)
        billing = fields.get("billing_address") or {}
        name = f"{billing.get('first_name', '')} {billing.get('last_name', '')}".strip()
        typed = {"email": str(billing.get("email", "")), "phone": str(billing.get("phone", "")), "country": str(billing.get("country", ""))}
        self.actions.type_into(key, typed["email"], typed["phone"], name, typed["country"])
        method = str(fields.get("payment_method", ""))
        if method not in METHODS:
            return error("woocommerce_rest_checkout_payment_method_disabled", f"{method} is not available for this order", 400)
        try:
            order = self.actions.buy(key, method)
        except CouponsRemoved as removed:
            words = [f"&quot;{code}&quot; was removed from the cart. {reason}" for code, reason in removed.reasons.items()]
            return error("woocommerce_rest_cart_coupon_errors", " ".join(words), 409, removed_coupons=removed.reasons)
        except Refused as refused:
            return error("woocommerce_rest_cart_empty", str(refused), 400)
        if order.status == "failed":
            return error("woocommerce_rest_checkout_process_payment_error", "Votre carte a été refusée.", 400)
        return answer(_placed(order, str(fields.get("customer_note", "")), self.store.home))

    def _removed(self, session: Session) -> list[Json]:
        """Coupons that are not good any more go, and are told once."""
        with self.store.lock:
            gone = self.actions.checks.prune(session)
        told = [self.actions.checks.told({code: reason}) for code, reason in gone.items()]
        return [{"code": "woocommerce_rest_cart_coupon_error", "message": words} for words in told]

    def _body(self, session: Session) -> Json:
        errors = self._removed(session)
        items = self.store.fill(session.cart, session.coupons)
        now = self.store.now()
        order = Order(0, "", now, now, items)
        contact = self.actions.contact_of(session)
        return {
            "items": [_item(item) for item in items],
            "coupons": [{"code": code} for code in session.coupons],
            "fees": [],
            "totals": _totals(order),
            "shipping_address": _address(contact) | {"phone": contact.phone},
            "billing_address": _address(contact) | {"email": contact.email, "phone": contact.phone},
            "needs_payment": bool(items),
            "needs_shipping": bool(items),
            "payment_requirements": ["products"],
            "has_calculated_shipping": True,
            "shipping_rates": [],
            "items_count": sum(item.quantity for item in items),
            "items_weight": 0,
            "cross_sells": [],
            "errors": errors,
            "payment_methods": list(METHODS),
            "extensions": {},
        }


def _placed(order: Order, note: str, home: str) -> Json:
    received = f"{home}/checkout/order-received/{order.id}/?key={order.key}"
    details = [{"key": "result", "value": "success"}, {"key": "redirect", "value": received}]
    return {
        "order_id": order.id,
        "status": order.status,
        "order_key": order.key,
        "order_number": str(order.id),
        "customer_note": note,
        "customer_id": order.customer_id,
        "billing_address": _address(order.contact) | {"email": order.contact.email, "phone": order.contact.phone},
        "shipping_address": _address(order.contact) | {"phone": order.contact.phone},
        "payment_method": order.method,
        "payment_result": {"payment_status": "success", "payment_details": details, "redirect_url": received},
        "additional_fields": {},
        "__experimentalCart": None,
        "extensions": {},
    }


def _item(item: Item) -> Json:
    price = _cents(item.price)
    attribute = {"raw_attribute": item.product.attribute.lower(), "attribute": item.product.attribute}
    picture = {"id": item.product.id - 1, "src": item.product.image_url, "thumbnail": item.product.image_url}
    raw = {"precision": 6, **dict.fromkeys(("price", "regular_price", "sale_price"), f"{price}0000")}
    return {
        "key": item.key,
        "id": int(item.reference),
        "type": "variation" if item.variation else "simple",
        "quantity": item.quantity,
        "quantity_limits": {"minimum": 1, "maximum": 9999, "multiple_of": 1, "editable": True},
        "name": item.product.name,
        "short_description": "",
        "description": f"<p>{item.product.description}</p>",
        "sku": item.variation.sku if item.variation else item.product.sku,
        "low_stock_remaining": None,
        "backorders_allowed": False,
        "show_backorder_badge": False,
        "sold_individually": False,
        "permalink": item.product.url,
        "images": [picture | {"srcset": "", "sizes": "", "name": item.product.slug, "alt": ""}],
        "variation": [attribute | {"value": item.variation.option}] if item.variation else [],
        "item_data": [],
        "prices": {"price": price, "regular_price": price, "sale_price": price, "price_range": None, **MONEY, "raw_prices": raw},
        "totals": {
            "line_subtotal": _cents(item.net),
            "line_subtotal_tax": _cents(item.gross - item.net),
            "line_total": _cents(item.paid_net),
            "line_total_tax": _cents(item.paid - item.paid_net),
            **MONEY,
        },
        "catalog_visibility": "visible",
        "extensions": {},
    }


def _totals(order: Order) -> Json:
    tax = order.cart_tax + order.shipping_tax
    return {
        "total_items": _cents(sum((item.net for item in order.items), Decimal(0))),
        "total_items_tax": _cents(sum((item.gross - item.net for item in order.items), Decimal(0))),
        "total_fees": "0",
        "total_fees_tax": "0",
        "total_discount": _cents(order.discount_net),
        "total_discount_tax": _cents(order.discount_tax),
        "total_shipping": _cents(order.shipping_net),
        "total_shipping_tax": _cents(order.shipping_tax),
        "total_price": _cents(order.total),
        "total_tax": _cents(tax),
        "tax_lines": [{"name": "TVA", "price": _cents(tax), "rate": "20%"}] if order.items else [],
        **MONEY,
    }


def _cents(amount: Decimal) -> str:
    return str(int(amount * 100))


def _address(contact: Contact) -> dict[str, str]:
    names = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country")
    return {name: getattr(contact, name, "") for name in names}
