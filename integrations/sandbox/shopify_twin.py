"""
A pretend Shopify with one shop, demo.myshopify.com: install, GraphQL, storefront, webhooks, and what people do there as methods.

Serve `app` over https for programs and over http for people. Every method may be called from any thread.
"""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.applications import Starlette

from integrations.sandbox.app_configuration import AppConfiguration
from integrations.sandbox.delivery import DeliveryMachine, Outgoing, Policy
from integrations.sandbox.faults import ANSWERS, Faults
from integrations.sandbox.shopify_admin import ShopifyAdmin
from integrations.sandbox.shopify_aftersales import AfterSales
from integrations.sandbox.shopify_buying import Buying
from integrations.sandbox.shopify_desk import Desk
from integrations.sandbox.shopify_faults import DIALECT
from integrations.sandbox.shopify_hooks import Hooks
from integrations.sandbox.shopify_merchant import Merchant
from integrations.sandbox.shopify_pages import ShopifyPages
from integrations.sandbox.shopify_shop import DOMAIN, Shop
from integrations.sandbox.shopify_tokens import Tokens, signed_query
from integrations.sandbox.spoilt import SpoiltApi

RETRIES = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 120, 600, 1800, 3600, 7200, 14400))


class ShopifyTwin(Buying, AfterSales, Desk, Merchant):
    """
    The shop, its shoppers and its merchant.

    `deliveries` carries its webhooks (and has their faults), `faults` spoils its API, `tokens` knows who may call it, `shop` is its memory.
    """

    domain = DOMAIN
    origin = f"https://{DOMAIN}"

    def __init__(
        self,
        app: AppConfiguration,
        now: Callable[[], datetime],
        outgoing: Outgoing,
        *,
        for_people: Callable[[str], str] = str,
        seed: int = 0,
        timeout: float = 5.0,
    ) -> None:
        self._app = app
        self._now = now
        self.shop = Shop(now)
        self.faults = Faults(ANSWERS)
        self.tokens = Tokens(app, now)
        policy = Policy(timeout, RETRIES, lambda status: 200 <= status < 300)
        self.deliveries = DeliveryMachine(now, policy, outgoing.post, seed)
        self.hooks = Hooks(self.shop, app, self.tokens, now, self.deliveries)
        self.shop.discounts.on_change = self.send
        self.shop.bulk.on_finish = self.send
        pages = ShopifyPages(self.shop, self.tokens, self.pay)
        admin = ShopifyAdmin(self.shop, app, self.tokens, self.install_url, for_people)
        self.app = SpoiltApi(Starlette(routes=[*pages.routes(), *admin.routes()]), self.faults, DIALECT)

    def close(self) -> None:
        """Stop sending."""
        self.deliveries.close()

    def install_url(self, app_url: str) -> str:
        """The signed address a merchant's click in the App Store leads to: `{app_url}/install/shopify?shop=…&hmac=…`."""
        host = base64.urlsafe_b64encode(b"admin.shopify.com/store/demo").decode().rstrip("=")
        pairs = {"host": host, "shop": DOMAIN, "timestamp": str(int(self._now().timestamp()))}
        return f"{app_url}/install/shopify?{signed_query(pairs, self._app.client_secret)}"
