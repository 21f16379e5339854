"""The pretend WooCommerce's pages for shoppers: catalogue, links, cart, checkout, pay page, thank-you page."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import Response
from starlette.routing import Route

from connector.errors import NotFound, Refused
from integrations.sandbox.web import Call, notice, page, png, redirect, route, script
from integrations.sandbox.woocommerce_actions import SESSION_COOKIE, StoreActions
from integrations.sandbox.woocommerce_answers import error
from integrations.sandbox.woocommerce_bodies import NEEDS_PAYMENT
from integrations.sandbox.woocommerce_capture import WORDINGS
from integrations.sandbox.woocommerce_coupon_use import CouponRefused, apply_coupon
from integrations.sandbox.woocommerce_link import PARAMETER
from integrations.sandbox.woocommerce_restore import Restorer
from integrations.sandbox.woocommerce_store import ORIGIN, Order, Session, Store
from integrations.sandbox.woocommerce_storeapi import nonce_of
from integrations.sandbox.woocommerce_visibility import Visibility

FIELDS = (("email", "E-mail address", "email"), ("name", "Name", "text"), ("phone", "Phone (optional)", "tel"))
GRACE = timedelta(minutes=10)
"""So long after it was made, an order's pages do not ask a guest for the e-mail address."""
EMPTY = "Your cart is empty"


@dataclass(frozen=True, slots=True)
class StorePages:
    """Pages over one store; what a shopper does here goes through the same actions as the scripted ones."""

    store: Store
    actions: StoreActions

    def routes(self) -> list[Route]:
        """All routes for shoppers; pages are hidden while the store is coming soon, forms that are sent are not."""
        hiding = Visibility(self.store).hiding
        return [
            route("/", hiding(self._front, is_shop=False)),
            route("/", self._ajax, "POST"),
            route("/shop.js", lambda call: script("shop.js")),
            route("/product/{slug}/", hiding(self._product)),
            route("/wp-content/uploads/2026/11/{file}", self._picture),
            route("/checkout-link/", self._checkout_link),
            route("/cart/", hiding(self._cart)),
            route("/checkout/", hiding(self._checkout)),
            route("/checkout/", self._place, "POST"),
            route("/checkout/order-pay/{id:int}/", hiding(self._pay_page)),
            route("/checkout/order-pay/{id:int}/", self._pay, "POST"),
            route("/checkout/order-received/{id:int}/", hiding(self._received)),
            route("/checkout/order-received/{id:int}/", self._received, "POST"),
        ]

    def _front(self, call: Call) -> Response:
        """The plugin looks at the front page's query first. Plain permalinks of the API do not know WooCommerce's keys."""
        if "rest_route" in call.query:
            return error("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401)
        if PARAMETER in call.query and self.store.plugin.is_active:
            return self._restore(call)
        cards = [
            {"url": f"/product/{one.slug}/", "title": one.name, "image": _local(one.image_url), "price": one.price}
            for one in self.store.products.values()
            if one.status == "publish"
        ]
        return page("home.html", store=self.store.name, title="Savons et bougies", cards=cards, currency=self.store.currency)

    def _restore(self, call: Call) -> Response:
        """
        A cart's link. One that is not this store's gets a 404 and no cookie; whoever only looks ahead changes nothing, and is
        told to come back.
        """
        if call.method == "HEAD" or any("prefetch" in call.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz")):
            return Response(status_code=503)
        with self.store.lock:
            held = call.cookie(SESSION_COOKIE) or ""
            key = held if held in self.store.sessions else self.store.open_session({})
        target = Restorer(self.store, self.actions).follow(call.query[PARAMETER], key)
        if target is None:
            with self.store.lock:
                if key != held:
                    del self.store.sessions[key]
            return notice(self.store.name, "Page not found", "The page you asked for does not exist.", 404)
        return self._with_session(redirect(target), key)

    def _ajax(self, call: Call) -> Response:
        """The classic checkout refreshes its order review, the whole form comes with it; or its shopper types a coupon code."""
        key, what = call.cookie(SESSION_COOKIE) or "", call.query.get("wc-ajax")
        fields = call.fields()
        if what not in ("update_order_review", "apply_coupon") or key not in self.store.sessions:
            return Response("-1", 400)
        if fields.get("security") != nonce_of(key):
            return Response("-1", 403)
        if what == "apply_coupon":
            return self._type_code(key, fields)
        typed = dict(parse_qsl(fields.get("post_data", "")))
        name = f"{typed.get('billing_first_name', '')} {typed.get('billing_last_name', '')}".strip()
        self.actions.type_into(key, typed.get("billing_email", ""), typed.get("billing_phone", ""), name, typed.get("billing_country", ""))
        return Response('{"result":"success"}', media_type="application/json")

    def _type_code(self, key: str, fields: dict[str, str]) -> Response:
        """The address of the form comes along, and counts."""
        if fields.get("billing_email"):
            self.actions.type_into(key, fields["billing_email"])
        try:
            self.actions.try_code(key, fields.get("coupon_code", ""))
        except CouponRefused as refused:
            words = str(refused).replace(" at checkout", "")
            return Response(f'<ul class="woocommerce-error" role="alert"><li>{words}</li></ul>', media_type="text/html")
        return Response('<div class="woocommerce-message" role="alert">Coupon code applied successfully.</div>', media_type="text/html")

    def _product(self, call: Call) -> Response:
        product = next((one for one in self.store.products.values() if one.slug == call.parts["slug"] and one.status == "publish"), None)
        if product is None:
            return self._missing()
        forms = [{"title": one.option, "sku": one.sku, "price": one.price} for one in product.variations]
        return page(
            "product.html",
            store=self.store.name,
            title=product.name,
            image=_local(product.image_url),
            description=product.description,
            forms=forms or [{"title": product.name, "sku": product.sku, "price": product.price}],
            currency=self.store.currency,
        )

    def _picture(self, call: Call) -> Response:
        slug = call.parts["file"].removesuffix(".png")
        hue = next((one.hue for one in self.store.products.values() if one.slug == slug), None)
        return Response(status_code=404) if hue is None else png(hue)

    def _checkout_link(self, call: Call) -> Response:
        """
        `products=ID:QTY,…`: empties the cart of whoever follows it, fills it anew and leads to the checkout page.

        If nothing of it can be had, it leads to the cart page with the reason; other parameters (utm_…) are carried along.
        """
        cart: dict[str, int] = {}
        faults: list[str] = []
        for part in filter(None, call.query.get("products", "").split(",")):
            reference, _, quantity = part.partition(":")
            try:
                item = self.store.make_item(reference, int(quantity) if quantity.isdigit() else 1)
            except NotFound:
                faults.append("Some products are not available any more and were left out.")
                continue
            left = item.product.stock_of(item.variation)
            if left is not None and left <= 0:
                faults.append(f"You cannot add &quot;{item.name}&quot; to the cart because the product is out of stock.")
            else:
                cart[item.reference] = cart.get(item.reference, 0) + item.quantity
        with self.store.lock:
            key = call.cookie(SESSION_COOKIE) or ""
            if key not in self.store.sessions:
                key = self.store.open_session({})
            session = self.store.sessions[key]
            session.cart, session.coupons, session.changes = cart, [], ()
            faults += self._coupon_faults(session, call.query.get("coupon", ""))
            session.message = " ".join(dict.fromkeys(faults)).replace("&quot;", '"')
        self.actions.watch.look(key)
        if not cart:
            return self._with_session(redirect(f"/cart/?wc_error={quote(faults[0] if faults else EMPTY, safe='')}"), key)
        carried = [(name, value) for name, value in call.query.items() if name not in {"products", "coupon"}]
        return self._with_session(redirect(f"/checkout/?{urlencode([*carried, ('session', key)])}"), key)

    def _coupon_faults(self, session: Session, code: str) -> list[str]:
        if not code:
            return []
        try:
            session.coupons = apply_coupon(self.store.coupons, code, [], self.actions.checks.cart_of(session))
        except CouponRefused as refused:
            return [str(refused).replace("&quot;", '"')]
        return []

    def _cart(self, call: Call) -> Response:
        """What is in the cart, what there is to say about it (once), and the way to the checkout."""
        session = self.store.sessions.get(call.cookie(SESSION_COOKIE) or "")
        words = call.query.get("wc_error", "").replace("&quot;", '"')
        changes: tuple[str, ...] = ()
        if session is not None:
            words, changes = words or session.message, session.changes
            session.message, session.changes = "", ()
        order = self._basket(session) if session else None
        if order is None or not order.items:
            return notice(self.store.name, EMPTY, " ".join([words or "Nothing is in it.", *changes]))
        return page(
            "woocommerce_cart.html",
            store=self.store.name,
            title="Cart",
            currency=self.store.currency,
            lines=_lines(order),
            totals=_totals(order),
            message=words,
            changes=changes,
        )

    def _checkout(self, call: Call) -> Response:
        """The checkout page of the session; where there are drafts, opening it makes or refreshes one."""
        key = call.query.get("session") or call.cookie(SESSION_COOKIE) or ""
        with self.store.lock:
            session = self.store.sessions.get(key)
            if session is None or not self.store.fill(session.cart):
                words = [session.message, *session.changes] if session else []
                return notice(self.store.name, EMPTY, " ".join(filter(None, words)) or "Nothing has been added yet.")
            order = self.actions.open_page(key) or self._basket(session)
            message, changes = session.message, session.changes
            session.message, session.changes = "", ()
        return self._form(order, "/checkout/", {"session": key}, "Place order", message, changes, key)

    def _place(self, call: Call) -> Response:
        fields = call.fields()
        key = fields.get("session") or call.cookie(SESSION_COOKIE) or ""
        with self.store.lock:
            session = self.store.sessions.get(key)
            if session is None or not (session.cart or self.actions.order_of(session)):
                return notice(self.store.name, EMPTY, "There is nothing to order.", 400)
        if fields.get("opt_out"):
            self.actions.watch.opt_out(key)
            return notice(self.store.name, "Checkout", "We will not remind you of this cart.")
        typed = {name: fields.get(name, "") for name, _, _ in FIELDS}
        if any(typed.values()):
            self.actions.type_into(key, typed["email"], typed["phone"], typed["name"])
        for channel in WORDINGS:
            if fields.get(f"consent_{channel}"):
                self.actions.watch.consent(key, channel, is_given=True)
        try:
            order = self.actions.buy(key, fields.get("payment_method", "card"))
        except (Refused, KeyError) as fault:
            return notice(self.store.name, "Please try again", str(fault), 400)
        return redirect(f"/checkout/order-received/{order.id}/?key={order.key}", 303)

    def _pay_page(self, call: Call) -> Response:
        order = self._keyed(call)
        if order is None:
            return self._missing()
        if order.status not in NEEDS_PAYMENT:
            return redirect(f"/checkout/order-received/{order.id}/?key={order.key}")
        if not self._may_see(call, order):
            return self._ask_address(order, order.pay_path)
        return self._form(order, order.pay_path, {"key": order.key}, "Pay for order", "", (), "")

    def _pay(self, call: Call) -> Response:
        order = self._keyed(call)
        if order is None:
            return self._missing()
        if not self._may_see(call, order):
            return self._ask_address(order, order.pay_path)
        if "checked_email" in call.fields():
            return self._form(order, order.pay_path, {"key": order.key, "email": order.contact.email}, "Pay for order", "", (), "")
        try:
            self.actions.place_order(order.id, "card")
        except Refused as fault:
            return notice(self.store.name, "Nothing to pay", str(fault), 400)
        return redirect(f"/checkout/order-received/{order.id}/?key={order.key}", 303)

    def _received(self, call: Call) -> Response:
        """Nothing personal stands here, but for the shopper's own account."""
        order = self._keyed(call)
        if order is None:
            return self._missing()
        path = f"/checkout/order-received/{order.id}/?key={order.key}"
        if not self._may_see(call, order):
            return self._ask_address(order, path)
        return page(
            "order.html",
            store=self.store.name,
            title="Thank you. Your order has been received.",
            number=str(order.id),
            state=order.status,
            currency=self.store.currency,
            lines=_lines(order),
            totals=_totals(order),
            email="",
        )

    def _may_see(self, call: Call, order: Order) -> bool:
        """
        A guest's order of some age is shown to its own browser, and to whoever knows the e-mail address; a customer's to nobody
        but that customer.
        """
        session = self.store.sessions.get(call.cookie(SESSION_COOKIE) or "")
        if order.customer_id:
            return session is not None and session.customer_id == order.customer_id
        if session is not None and session.order_id == order.id:
            return True
        if self.store.now() - order.created_at < GRACE or not order.contact.email:
            return True
        fields = call.fields() if call.method == "POST" else {}
        given = fields.get("checked_email") or fields.get("email") or ""
        return given.strip().lower() == order.contact.email.lower()

    def _ask_address(self, order: Order, action: str) -> Response:
        """For a guest's order the address; a customer has to log in, which nobody can do here."""
        if order.customer_id:
            return notice(self.store.name, "Login", "Please log in to your account to continue.")
        field = {"name": "checked_email", "label": "E-mail address", "type": "email", "value": ""}
        return page(
            "checkout.html",
            store=self.store.name,
            title="To view this page, please confirm the e-mail address of the order",
            currency=self.store.currency,
            lines=[],
            totals=[],
            action=action,
            hidden={},
            fields=[field],
            email="",
            button="Confirm",
            message="",
            changes=(),
        )

    def _form(
        self, order: Order, action: str, hidden: dict[str, str], button: str, message: str, changes: tuple[str, ...], session_key: str
    ) -> Response:
        """
        The order's lines and one button; contact fields only while the e-mail address is not known.

        `session_key`: of the checkout page, where boxes stand and what is typed is sent at once; "" for a page that only takes payment.
        """
        fields = [] if order.contact.email else [{"name": name, "label": label, "type": kind, "value": ""} for name, label, kind in FIELDS]
        boxes = WORDINGS if session_key and self.store.plugin.is_active else {}
        return page(
            "woocommerce_checkout.html",
            store=self.store.name,
            title="Checkout",
            currency=self.store.currency,
            lines=_lines(order),
            totals=_totals(order),
            action=action,
            hidden=hidden,
            fields=fields,
            boxes=[{"name": f"consent_{channel}", "label": words} for channel, words in boxes.items()],
            email=order.contact.email if session_key else "",
            button=button,
            message=message,
            changes=changes,
            kind=self.store.checkout,
            nonce=nonce_of(session_key) if session_key else "",
        )

    def _basket(self, session: Session) -> Order:
        """What an order of this cart would be; nothing is kept."""
        now = self.store.now()
        items = self.store.fill(session.cart, session.coupons)
        return Order(0, "", now, now, items, contact=self.actions.contact_of(session), coupons=list(session.coupons))

    def _keyed(self, call: Call) -> Order | None:
        """The order of the path, if the query names its key."""
        with self.store.lock:
            order = self.store.orders.get(int(call.parts["id"]))
        return order if order is not None and order.key == call.query.get("key") else None

    def _with_session(self, answer: Response, key: str) -> Response:
        answer.set_cookie(SESSION_COOKIE, key, max_age=172_800, httponly=True, samesite="lax")
        return answer

    def _missing(self) -> Response:
        return notice(self.store.name, "Page not found", "The page you asked for does not exist.", 404)


def _local(url: str) -> str:
    return url.removeprefix(ORIGIN)


def _lines(order: Order) -> list[dict[str, object]]:
    return [
        {
            "title": item.product.name,
            "variant": item.variation.option if item.variation else "",
            "quantity": item.quantity,
            "total": item.gross,
            "image": _local(item.product.image_url),
        }
        for item in order.items
    ]


def _totals(order: Order) -> list[tuple[str, Decimal]]:
    discount = order.discount_net + order.discount_tax
    return [
        *([(f"Coupon {', '.join(order.coupons)}", -discount)] if discount else []),
        ("Shipping", order.shipping_net + order.shipping_tax),
        ("VAT included", order.cart_tax + order.shipping_tax),
        ("Total", order.total),
    ]
