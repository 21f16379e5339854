"""
The pretend Shopify's admin: how an app is installed and opened there, and the authorisation server's endpoints.

An app's page is shown in a frame. The script that it loads from Shopify (templates/app_bridge.js) asks the page around it
(templates/admin.js) for session tokens of whoever is signed in to the admin: the owner, or `?user=` of `tokens.people`.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from starlette.responses import Response
from starlette.routing import Route

from integrations.sandbox.app_configuration import AppConfiguration
from integrations.sandbox.shopify_people import OWNER, Person, session_token
from integrations.sandbox.shopify_shop import DOMAIN, Shop
from integrations.sandbox.shopify_tokens import Tokens, signed_query
from integrations.sandbox.web import Call, as_json, notice, page, redirect, route

APP = "/admin/apps/connector"
SHOPIFY_SITES = ("https://admin.shopify.com", "https://cdn.shopify.com")
"""Shopify's own sites of which this server plays a part."""
HOST = base64.urlsafe_b64encode(b"admin.shopify.com/store/demo").decode().rstrip("=")
SCRIPTS = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class ShopifyAdmin:
    """Endpoints over one shop's admin. `for_people` turns the app's address into one that a person's browser can open."""

    shop: Shop
    app: AppConfiguration
    tokens: Tokens
    install_url: Callable[[str], str]
    for_people: Callable[[str], str]

    def routes(self) -> list[Route]:
        """All routes of the admin."""
        return [
            route("/admin/apps/install-link", self._install_link),
            route(APP, self._open),
            route(f"{APP}/approval", self._approve),
            route(f"{APP}/session-token", self._session_token, "POST"),
            route("/admin/admin.js", self._script),
            route("/shopifycloud/app-bridge.js", self._script),
            route("/admin/oauth/authorize", self._authorize),
            route("/admin/oauth/access_token", self._access_token, "POST"),
        ]

    def _install_link(self, call: Call) -> Response:
        """The button of the app's listing: leads to the app with a signed query. `app_url` must be one of the app's own."""
        app_url = call.query.get("app_url", "")
        own = {f"{parts.scheme}://{parts.netloc}" for url in self._redirects() for parts in [urlsplit(url)]}
        if app_url not in own:
            return notice(self.shop.name, "Unknown app", "This address does not belong to the app.", 400)
        return redirect(self.install_url(app_url))

    def _open(self, call: Call) -> Response:
        """A click on the app: its page in a frame, after Shopify's own question where it is not installed; or its site."""
        if not self.app.is_embedded:
            parts = urlsplit(self.app.application_url)
            return redirect(self.install_url(self.for_people(f"{parts.scheme}://{parts.netloc}")))
        person, locale = self._person(call), call.query.get("locale", "en")
        around = f"?user={person.id}&locale={quote(locale)}"
        with self.shop.lock:
            is_installed, granted = self.tokens.is_installed, self.tokens.granted_scopes
        if not is_installed:
            wants, link = self.app.scopes if granted is None else granted, f"{APP}/approval{around}"
            title = f"Install {self.app.name}"
            return page("grant.html", store=self.shop.name, title=title, wants=wants, approve=link, deny="/", yes="Install app")
        url = self.for_people(self.app.application_url)
        pairs = {
            "embedded": "1",
            "host": HOST,
            "id_token": self._token(person),
            "locale": locale,
            "session": "0" * 64,
            "shop": DOMAIN,
            "timestamp": str(int(self.shop.now().timestamp())),
        }
        return page(
            "admin.html",
            store=self.shop.name,
            app=self.app.name,
            locale=locale,
            who=f"{person.first_name} {person.last_name}",
            url=f"{url}?{signed_query(pairs, self.app.client_secret)}",
            origin="{0.scheme}://{0.netloc}".format(urlsplit(url)),
            tokens=f"{APP}/session-token{around}",
        )

    def _approve(self, call: Call) -> Response:
        """Shopify installs the app by itself, then opens it."""
        with self.shop.lock:
            self.tokens.install()
        return redirect(f"{APP}?user={self._person(call).id}&locale={quote(call.query.get('locale', 'en'))}")

    def _session_token(self, call: Call) -> Response:
        return as_json({"token": self._token(self._person(call))})

    def _script(self, call: Call) -> Response:
        name = "admin.js" if call.path.endswith("/admin.js") else "app_bridge.js"
        return Response(SCRIPTS.joinpath(name).read_bytes(), media_type="text/javascript")

    def _person(self, call: Call) -> Person:
        user = call.query.get("user", "")
        return self.tokens.people.get(int(user), OWNER) if user.isascii() and user.isdigit() else OWNER

    def _token(self, person: Person) -> str:
        return session_token(person, self.app.client_id, self.app.client_secret, self.shop.now())

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
            "host": HOST,
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

    def _redirects(self) -> set[str]:
        urls = self.app.redirect_urls
        return {*urls, *(self.for_people(url) for url in urls)}
