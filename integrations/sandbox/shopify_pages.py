"""The pretend Shopify's HTTP face: what a merchant, a shopper and a program can open."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import Route

from integrations.sandbox.app_configuration import AppConfiguration
from integrations.sandbox.shopify_bodies import text
from integrations.sandbox.shopify_faults import BAD_TOKEN
from integrations.sandbox.shopify_graphql import COST, answer
from integrations.sandbox.shopify_shop import DOMAIN, Checkout, Order, Shop
from integrations.sandbox.shopify_tokens import Tokens, signed_query
from integrations.sandbox.web import Call, as_json, notice, page, png, redirect, route


@dataclass(frozen=True, slots=True)
class ShopifyPages:
    """Endpoints over one shop. `for_people` turns the app's address into one that a person's browser can open."""

    shop: Shop
    app: AppConfiguration
    tokens: Tokens
    pay: Callable[[str], int]
    install_url: Callable[[str], str]
    for_people: Callable[[str], str]

    def routes(self) -> list[Route]:
        """All routes of the shop."""
        return [
            route("/", self._home),
            route("/products/{handle}", self._product),
            route("/cdn/shop/files/{file}", self._picture),
            route("/{shop_id:int}/checkouts/ac/{cart_token}/recover", self._recover),
            route("/{shop_id:int}/checkouts/ac/{cart_token}/pay", self._pay, "POST"),
            route("/{shop_id:int}/orders/{order_id:int}/authenticate", self._order),
            route("/admin/apps/install-link", self._install_link),
            route("/admin/oauth/authorize", self._authorize),
            route("/admin/oauth/access_token", self._access_token, "POST"),
            route("/admin/api/{version}/graphql.json", self._graphql, "POST"),
        ]

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
            return page(
                "checkout.html",
                store=self.shop.name,
                title="Your checkout",
                currency=self.shop.currency,
                lines=self._lines(checkout),
                totals=self._totals(checkout),
                action=checkout.path.removesuffix("recover") + "pay",
                hidden={"key": checkout.key},
                fields=[],
                email=checkout.email,
                button="Pay now",
                message="",
            )

    def _pay(self, call: Call) -> Response:
        with self.shop.lock:
            checkout = self._checkout(call, call.fields().get("key", ""))
        if checkout is None or not checkout.lines:
            return notice(self.shop.name, "Nothing to pay", "This checkout is empty or its link is wrong.", 400)
        return redirect(self._order_path(self.shop.find_order(self.pay(checkout.token))), 303)

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
                lines=self._lines(order.checkout),
                totals=self._totals(order.checkout),
                email=order.checkout.email,
            )

    def _install_link(self, call: Call) -> Response:
        """The button of the app's listing: leads to the app with a signed query. `app_url` must be one of the app's own."""
        app_url = call.query.get("app_url", "")
        own = {f"{parts.scheme}://{parts.netloc}" for url in self._redirects() for parts in [urlsplit(url)]}
        if app_url not in own:
            return notice(self.shop.name, "Unknown app", "This address does not belong to the app.", 400)
        return redirect(self.install_url(app_url))

    def _authorize(self, call: Call) -> Response:
        """The grant page. Its link carries a fresh one-time code back to the app, signed."""
        query = call.query
        if query.get("client_id") != self.app.client_id:
            return notice("Shopify", "Oauth error invalid_request", "Could not find the app with this client id.", 400)
        target = query.get("redirect_uri", "")
        if target not in self._redirects():
            return notice("Shopify", "Oauth error invalid_request", "The redirect_uri is not whitelisted.", 400)
        asked = tuple(scope for scope in query.get("scope", "").split(",") if scope) or self.app.scopes
        with self.shop.lock:
            scopes = asked if self.tokens.granted_scopes is None else self.tokens.granted_scopes
            code = self.tokens.mint_code(scopes)
        pairs = {
            "code": code,
            "host": base64.urlsafe_b64encode(b"admin.shopify.com/store/demo").decode().rstrip("="),
            "shop": DOMAIN,
            "state": query.get("state", ""),
            "timestamp": str(int(self.shop.now().timestamp())),
        }
        link = f"{self.for_people(target)}?{signed_query(pairs, self.app.client_secret)}"
        return page(
            "grant.html", store=self.shop.name, title=f"Install {self.app.name}", wants=scopes, approve=link, deny="/", yes="Install app"
        )

    def _access_token(self, call: Call) -> Response:
        with self.shop.lock:
            status, body = self.tokens.exchange(call.fields())
        return as_json(body, status)

    def _graphql(self, call: Call) -> Response:
        with self.shop.lock:
            scopes = self.tokens.scopes_of(call.headers.get("x-shopify-access-token", ""))
        if scopes is None:
            return as_json(BAD_TOKEN, 401)
        try:
            asked = json.loads(call.body)
            query, variables = asked["query"], asked.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            return as_json({"errors": {"query": "Required parameter missing or invalid"}}, 400)
        with self.shop.lock:
            body = answer(self.shop, scopes, query, variables)
        return as_json({"extensions": {"cost": COST}} | body, headers={"x-shopify-api-version": call.parts["version"]})

    def _redirects(self) -> set[str]:
        urls = self.app.redirect_urls
        return {*urls, *(self.for_people(url) for url in urls)}

    def _checkout(self, call: Call, key: str) -> Checkout | None:
        token = call.parts["cart_token"]
        return next((one for one in self.shop.checkouts.values() if one.cart_token == token and one.key == key), None)

    def _order_path(self, order: Order) -> str:
        return f"/{order.checkout.path.split('/')[1]}/orders/{order.id}/authenticate?key={order.checkout.key}"

    def _local(self, url: str) -> str:
        return url.removeprefix(f"https://{DOMAIN}")

    def _lines(self, checkout: Checkout) -> list[dict[str, object]]:
        return [
            {
                "title": line.product.title,
                "variant": "" if line.variant.title == "Default Title" else line.variant.title,
                "quantity": line.quantity,
                "total": text(line.total),
                "image": self._local(line.product.image_url),
            }
            for line in checkout.lines
        ]

    def _totals(self, checkout: Checkout) -> list[tuple[str, Decimal]]:
        return [("Subtotal", checkout.subtotal), ("Tax", checkout.tax), ("Total", checkout.subtotal + checkout.tax)]
