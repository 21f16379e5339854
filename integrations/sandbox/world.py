"""The whole sandbox in one object: both pretend stores, the mail catcher, certificates and the maps that lead to them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from integrations.sandbox.app_configuration import CLIENT_ID, CLIENT_SECRET, AppConfiguration
from integrations.sandbox.delivery import DeliveryMachine, Outgoing
from integrations.sandbox.mail_catcher import MailCatcher
from integrations.sandbox.servers import LocalServer
from integrations.sandbox.shopify_admin import APP, SHOPIFY_SITES
from integrations.sandbox.shopify_twin import ShopifyTwin
from integrations.sandbox.shopper import Browser, map_origin
from integrations.sandbox.tls import make_certificates
from integrations.sandbox.woocommerce_twin import WooCommerceTwin

APP_HOST = "connector.test"


class Sandbox:
    """
    Everything that stands for the outside world. Step one: make it and start() it (or use it in a `with`); the maps,
    `smtp_url` and certificates are then known. Step two: start the app, then tell the stores where it is with
    connect_app().

    `directory` takes the certificates. `now` is the virtual clock (aware UTC). `app_toml` is the text of the app's
    `shopify.app.toml`; without it a standard configuration is used. `seed` makes `mischief` repeatable.
    """

    client_id = CLIENT_ID
    client_secret = CLIENT_SECRET

    def __init__(
        self, directory: Path, now: Callable[[], datetime], *, app_host: str = APP_HOST, app_toml: str | None = None, seed: int = 0
    ) -> None:
        self.app_origin = f"https://{app_host}"
        self._app_host = app_host
        self._app_address: dict[str, str] = {}
        self._for_people: dict[str, str] = {}
        self._outgoing = Outgoing()
        configuration = AppConfiguration.from_toml(app_toml, self.app_origin) if app_toml else AppConfiguration.standard(self.app_origin)
        self.shopify = ShopifyTwin(configuration, now, self._outgoing, for_people=self._people_url, seed=seed)
        self.woocommerce = WooCommerceTwin(now, self._outgoing, for_people=self._people_url, seed=seed + 1)
        self.mail = MailCatcher(now, self._localised)
        certificates = make_certificates(directory, [self.shopify.domain, self.woocommerce.domain, app_host])
        self.ca_pem, self.cert_pem, self.key_pem = certificates.ca_pem, certificates.cert_pem, certificates.key_pem
        tls = (self.cert_pem, self.key_pem)
        self._shopify_server = LocalServer(self.shopify.app, tls=tls)
        self._woocommerce_server = LocalServer(self.woocommerce.app, tls=tls)
        self._mailbox_server = LocalServer(self.mail.app)

    def start(self) -> Self:
        """Listen on loopback; returns once all doors are open. Raises ConnectorError."""
        self.mail.start()
        for server in self._servers:
            server.start()
        return self

    def stop(self) -> None:
        """End everything; may be called twice. Undelivered webhooks stay undelivered."""
        self.shopify.close()
        self.woocommerce.close()
        for server in self._servers:
            server.begin_to_stop()
        for server in self._servers:
            server.stop()
        self.mail.stop()
        self._outgoing.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def address_map(self) -> dict[str, str]:
        """For the app's own https calls: host -> 127.0.0.1:port (setting ADDRESS_MAP)."""
        return {
            self.shopify.domain: self._shopify_server.https_address,
            self.woocommerce.domain: self._woocommerce_server.https_address,
        }

    @property
    def browser_map(self) -> dict[str, str]:
        """For people: https origin of a pretend store, and of all of Shopify -> its http origin on loopback (setting BROWSER_MAP)."""
        shopify = dict.fromkeys((self.shopify.origin, *SHOPIFY_SITES), self._shopify_server.http_origin)
        return {**shopify, self.woocommerce.origin: self._woocommerce_server.http_origin}

    @property
    def shopify_admin_url(self) -> str:
        """Where people open the app inside the pretend Shopify's admin."""
        return f"{self.browser_map[self.shopify.origin]}{APP}"

    @property
    def smtp_url(self) -> str:
        """Where the app hands over e-mails (setting SMTP_URL)."""
        return self.mail.smtp_url

    @property
    def mailbox_url(self) -> str:
        """The page that shows the caught e-mails."""
        return f"{self._mailbox_server.http_origin}/mailbox"

    @property
    def machines(self) -> tuple[DeliveryMachine, DeliveryMachine]:
        """Both stores' delivery machines, Shopify's first."""
        return self.shopify.deliveries, self.woocommerce.deliveries

    def connect_app(self, https_port: int, http_origin: str | None = None) -> None:
        """
        Tell the stores that the app answers on 127.0.0.1:`https_port` under its own name and the sandbox certificate.

        `http_origin` (`http://127.0.0.1:port`) is where people reach it: the stores' links back to the app then lead there.
        """
        self._app_address = {self._app_host: f"127.0.0.1:{https_port}"}
        self._outgoing.connect(self._app_address, self.ca_pem)
        if http_origin:
            self._for_people[self.app_origin] = http_origin

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until neither store has anything to send now; False if `timeout` real seconds were not enough for one."""
        return all(machine.settle(timeout) for machine in self.machines)

    def next_due(self) -> datetime | None:
        """The earliest instant of the virtual clock at which a store wants to send something."""
        return min((due for due in (machine.next_due() for machine in self.machines) if due is not None), default=None)

    def browser(self) -> Browser:
        """A new shopper's or merchant's browser that finds the stores and the app. Close it after use."""
        return Browser(self.browser_map | self._for_people, self.address_map | self._app_address, self.ca_pem)

    @property
    def _servers(self) -> tuple[LocalServer, LocalServer, LocalServer]:
        return self._shopify_server, self._woocommerce_server, self._mailbox_server

    def _people_url(self, url: str) -> str:
        return map_origin(url, self._for_people)

    def _localised(self, html: str) -> str:
        """A mail's HTML with the pretend stores' addresses led to loopback, so that pictures load in a person's browser."""
        for origin, local in self.browser_map.items():
            html = html.replace(origin, local)
        return html
