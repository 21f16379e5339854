"""The pretend WooCommerce's pages for shoppers: catalogue, checkout link, checkout, pay page, thank-you page."""

from dataclasses import dataclass
from decimal import Decimal

from starlette.responses import Response
from starlette.routing import Route

from connector.errors import NotFound, Refused
from integrations.sandbox.web import Call, notice, page, png, redirect, route
from integrations.sandbox.woocommerce_actions import SESSION_COOKIE, StoreActions
from integrations.sandbox.woocommerce_bodies import NEEDS_PAYMENT
from integrations.sandbox.woocommerce_store import ORIGIN, Order, Store

FIELDS = (("email", "E-mail address", "email"), ("name", "Name", "text"), ("phone", "Phone (optional)", "tel"))


@dataclass(frozen=True, slots=True)
class StorePages:
    """Pages over one store; what a shopper does here goes through the same actions as the scripted ones."""

    store: Store
    actions: StoreActions

    def routes(self) -> list[Route]:
        """All routes for shoppers."""
        return [
            route("/", self._home),
            route("/product/{slug}/", self._product),
            route("/wp-content/uploads/2026/11/{file}", self._picture),
            route("/checkout-link/", self._checkout_link),
            route("/checkout/", self._checkout),
            route("/checkout/", self._place, "POST"),
            route("/checkout/order-pay/{id:int}/", self._pay_page),
            route("/checkout/order-pay/{id:int}/", self._pay, "POST"),
            route("/checkout/order-received/{id:int}/", self._received),
        ]

    def _home(self, call: Call) -> Response:
        cards = [
            {"url": f"/product/{one.slug}/", "title": one.name, "image": _local(one.image_url), "price": one.price}
            for one in self.store.products.values()
        ]
        return page("home.html", store=self.store.name, title="Savons et bougies", cards=cards, currency=self.store.currency)

    def _product(self, call: Call) -> Response:
        product = next((one for one in self.store.products.values() if one.slug == call.parts["slug"]), None)
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
        """`products=ID:QTY,…`: empties the cart of whoever follows it, fills it anew and leads to the checkout page."""
        cart: dict[str, int] = {}
        message = ""
        for part in filter(None, call.query.get("products", "").split(",")):
            reference, _, quantity = part.partition(":")
            try:
                self.store.make_item(reference, 1)
                cart[reference] = cart.get(reference, 0) + (int(quantity) if quantity.isdigit() else 1)
            except NotFound:
                message = "Some products are not available any more and were left out."
        if call.query.get("coupon"):
            message = f"Coupon “{call.query['coupon']}” does not exist."
        with self.store.lock:
            key = call.cookie(SESSION_COOKIE) or ""
            if key not in self.store.sessions:
                key = self.store.open_session({})
            self.store.sessions[key].cart, self.store.sessions[key].message = cart, message
        answer = redirect(f"/checkout/?session={key}")
        answer.set_cookie(SESSION_COOKIE, key, max_age=172_800, httponly=True, samesite="lax")
        return answer

    def _checkout(self, call: Call) -> Response:
        """The checkout page of the session; opening it makes or refreshes the draft."""
        key = call.query.get("session") or call.cookie(SESSION_COOKIE) or ""
        with self.store.lock:
            session = self.store.sessions.get(key)
            if session is None or not session.cart:
                return notice(self.store.name, "Your cart is empty", session.message if session else "Nothing has been added yet.")
            message, session.message = session.message, ""
            order = self.actions.open_page(key)
        return self._form(order, "/checkout/", {"session": key}, "Place order", message)

    def _place(self, call: Call) -> Response:
        fields = call.fields()
        with self.store.lock:
            session = self.store.sessions.get(fields.get("session") or call.cookie(SESSION_COOKIE) or "")
            order = self.store.orders.get(session.order_id or 0) if session else None
        if order is None:
            return notice(self.store.name, "Your cart is empty", "There is nothing to order.", 400)
        typed = {name: fields.get(name, "") for name, _, _ in FIELDS}
        if any(typed.values()):
            self.actions.type_contact(order.id, **typed)
        try:
            self.actions.place_order(order.id, fields.get("payment_method", "card"))
        except (Refused, KeyError) as error:
            return notice(self.store.name, "Please try again", str(error), 400)
        return redirect(f"/checkout/order-received/{order.id}/?key={order.key}", 303)

    def _pay_page(self, call: Call) -> Response:
        order = self._keyed(call)
        if order is None:
            return self._missing()
        if order.status not in NEEDS_PAYMENT:
            return redirect(f"/checkout/order-received/{order.id}/?key={order.key}")
        return self._form(order, order.pay_path, {"key": order.key}, "Pay for order", "")

    def _pay(self, call: Call) -> Response:
        order = self._keyed(call)
        if order is None:
            return self._missing()
        try:
            self.actions.place_order(order.id, "card")
        except Refused as error:
            return notice(self.store.name, "Nothing to pay", str(error), 400)
        return redirect(f"/checkout/order-received/{order.id}/?key={order.key}", 303)

    def _received(self, call: Call) -> Response:
        order = self._keyed(call)
        if order is None:
            return self._missing()
        return page(
            "order.html",
            store=self.store.name,
            title="Thank you. Your order has been received.",
            number=str(order.id),
            state=order.status,
            currency=self.store.currency,
            lines=_lines(order),
            totals=_totals(order),
            email=order.contact.email,
        )

    def _form(self, order: Order, action: str, hidden: dict[str, str], button: str, message: str) -> Response:
        """The order's lines and one button; contact fields only while the e-mail address is not known."""
        fields = [] if order.contact.email else [{"name": name, "label": label, "type": kind, "value": ""} for name, label, kind in FIELDS]
        return page(
            "checkout.html",
            store=self.store.name,
            title="Checkout",
            currency=self.store.currency,
            lines=_lines(order),
            totals=_totals(order),
            action=action,
            hidden=hidden,
            fields=fields,
            email=order.contact.email,
            button=button,
            message=message,
            changes=(),
        )

    def _keyed(self, call: Call) -> Order | None:
        """The order of the path, if the query names its key."""
        with self.store.lock:
            order = self.store.orders.get(int(call.parts["id"]))
        return order if order is not None and order.key == call.query.get("key") else None

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
    return [
        ("Shipping", order.shipping_net + order.shipping_tax),
        ("VAT included", order.cart_tax + order.shipping_tax),
        ("Total", order.total),
    ]
