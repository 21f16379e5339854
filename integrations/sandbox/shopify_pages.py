"""The pretend Shopify's HTTP face: what a merchant, a shopper and a program can open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from starlette.responses import Response
from starlette.routing import Route

from integrations.sandbox.shopify_bodies import text
from integrations.sandbox.shopify_graphql import GraphApi
from integrations.sandbox.shopify_shop import DOMAIN, Checkout, Line, Order, Shop
from integrations.sandbox.shopify_storefront import open_again
from integrations.sandbox.shopify_tokens import Tokens
from integrations.sandbox.web import Call, Handler, notice, page, png, redirect, route

CODE_COOKIE = "discount_code"


@dataclass(frozen=True, slots=True)
class ShopifyPages:
    """Endpoints over one shop; its admin is in shopify_admin."""

    shop: Shop
    tokens: Tokens
    pay: Callable[[str, str], int]

    def routes(self) -> list[Route]:
        """All routes of the shop."""
        return [
            route("/", self._entered(self._home)),
            route("/password", self._password),
            route("/discount/{code}", self._entered(self._discount)),
            route("/products/{handle}", self._entered(self._product)),
            route("/cdn/shop/files/{file}", self._picture),
            route("/{shop_id:int}/checkouts/ac/{cart_token}/recover", self._entered(self._recover)),
            route("/{shop_id:int}/checkouts/ac/{cart_token}/pay", self._entered(self._pay), "POST"),
            route("/{shop_id:int}/orders/{order_id:int}/authenticate", self._order),
            *GraphApi(self.shop, self.tokens).routes(),
        ]

    def _entered(self, handler: Handler) -> Handler:
        """A page that shoppers see only in a shop that is open."""

        def handle(call: Call) -> Response:
            if self.shop.is_frozen:
                return notice(self.shop.name, "This store is unavailable", "Please come back later.", 402)
            return redirect("/password") if self.shop.has_password else handler(call)

        return handle

    def _password(self, call: Call) -> Response:
        if not self.shop.has_password:
            return redirect("/")
        return notice(self.shop.name, "Opening soon", "Enter the store using its password.")

    def _discount(self, call: Call) -> Response:
        """A link that applies a code: the browser keeps it until the checkout. `redirect` is a path of the shop."""
        target = call.query.get("redirect", "/")
        answer = redirect(target if target.startswith("/") and not target.startswith("//") else "/")
        answer.set_cookie(CODE_COOKIE, call.parts["code"], httponly=True)
        return answer

    def _home(self, call: Call) -> Response:
        cards = [
            {
                "url": f"/products/{one.handle}",
                "title": one.title,
                "image": self._local(one.image_url),
                "price": text(one.variants[0].price),
            }
            for one in self.shop.products.values()
        ]
        return page("home.html", store=self.shop.name, title="Everything for a slow evening", cards=cards, currency=self.shop.currency)

    def _product(self, call: Call) -> Response:
        product = next((one for one in self.shop.products.values() if one.handle == call.parts["handle"]), None)
        if product is None:
            return notice(self.shop.name, "Page not found", "The page you asked for does not exist.", 404)
        forms = [{"title": one.title, "price": text(one.price), "sku": one.sku} for one in product.variants]
        return page(
            "product.html",
            store=self.shop.name,
            title=product.title,
            image=self._local(product.image_url),
            description=product.description,
            forms=forms,
            currency=self.shop.currency,
        )

    def _picture(self, call: Call) -> Response:
        handle = call.parts["file"].removesuffix(".png")
        hue = next((one.hue for one in self.shop.products.values() if one.handle == handle), None)
        return Response(status_code=404) if hue is None else png(hue)

    def _recover(self, call: Call) -> Response:
        """The checkout that an e-mail leads back to; a wrong key leads to the home page, a finished one to its order."""
        with self.shop.lock:
            checkout = self._checkout(call, call.query.get("key", ""))
            if checkout is None:
                return redirect("/")
            if checkout.order_id is not None:
                return redirect(self._order_path(self.shop.orders[checkout.order_id]))
            opened = open_again(self.shop, checkout, _code(call))
            return page(
                "checkout.html",
                store=self.shop.name,
                title="Your checkout",
                currency=self.shop.currency,
                lines=self._lines(opened.lines),
                totals=_totals(opened.subtotal, opened.discount, opened.tax),
                action=checkout.path.removesuffix("recover") + "pay",
                hidden={"key": checkout.key, "discount": opened.code or ""},
                fields=[],
                email=checkout.email,
                button="Pay now",
                message="Something has changed since your last visit." if opened.changes else "",
                changes=opened.changes,
            )

    def _pay(self, call: Call) -> Response:
        fields = call.fields()
        with self.shop.lock:
            checkout = self._checkout(call, fields.get("key", ""))
            is_payable = checkout is not None and bool(open_again(self.shop, checkout).lines)
        if checkout is None or not is_payable:
            return notice(self.shop.name, "Nothing to pay", "This checkout is empty or its link is wrong.", 400)
        return redirect(self._order_path(self.shop.find_order(self.pay(checkout.token, fields.get("discount", "")))), 303)

    def _order(self, call: Call) -> Response:
        with self.shop.lock:
            order = self.shop.orders.get(int(call.parts["order_id"]))
            if order is None or order.checkout.key != call.query.get("key"):
                return notice(self.shop.name, "Page not found", "There is no such order.", 404)
            return page(
                "order.html",
                store=self.shop.name,
                title="Thank you for your order",
                number=f"#{order.number}",
                state="cancelled" if order.cancelled_at else order.financial_status,
                currency=self.shop.currency,
                lines=self._lines(order.checkout.lines),
                totals=_totals(order.checkout.subtotal + order.checkout.discount, order.checkout.discount, order.checkout.tax),
                email=order.checkout.email,
            )

    def _checkout(self, call: Call, key: str) -> Checkout | None:
        token = call.parts["cart_token"]
        return next((one for one in self.shop.checkouts.values() if one.cart_token == token and one.key == key), None)

    def _order_path(self, order: Order) -> str:
        return f"/{order.checkout.path.split('/')[1]}/orders/{order.id}/authenticate?key={order.checkout.key}"

    def _local(self, url: str) -> str:
        return url.removeprefix(f"https://{DOMAIN}")

    def _lines(self, lines: Sequence[Line]) -> list[dict[str, object]]:
        return [
            {
                "title": line.product.title,
                "variant": "" if line.variant.title == "Default Title" else line.variant.title,
                "quantity": line.quantity,
                "total": text(line.total),
                "image": self._local(line.product.image_url),
            }
            for line in lines
        ]


def _totals(subtotal: Decimal, discount: Decimal, tax: Decimal) -> list[tuple[str, Decimal]]:
    taken = [("Discount", -discount)] if discount else []
    return [("Subtotal", subtotal), *taken, ("Tax", tax), ("Total", subtotal - discount + tax)]


def _code(call: Call) -> str:
    """The discount code that this link, or one before, brings along; Shopify's storefront applies it by itself."""
    return (call.query.get("discount") or call.cookie(CODE_COOKIE) or "").strip()
