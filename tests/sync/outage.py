"""A pretend store of either platform that goes on selling while its webhooks do not come, and what is then the same on both sides."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from connector.config import Settings
from connector.rules.permissions import StaffRole
from connector.store import automations, clock, shops
from connector.store.audit import Actor
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from connector.store.work import hold_inbox
from connector.web.composition import Composition
from integrations.sandbox.shopify_cost import Bucket
from integrations.sandbox.shopify_shop import Address, Shopper
from integrations.sandbox.shopify_twin import ShopifyTwin
from integrations.sandbox.woocommerce_store import Contact
from integrations.sandbox.woocommerce_twin import WooCommerceTwin
from sync import abandon, backfill, engine, listening, offers, rereads, send, taking
from sync.access import call_shop
from sync.broker import Bell, make_broker
from sync.reconcile import KINDS
from sync.services import Services
from tests.conftest import install
from tests.fake_sender import FakeSender
from tests.sync.shopify_stage import Stage, shopify_stage
from tests.sync.woo_stage import WooStage, woo_stage
from tests.web.conftest import browser
from tests.web.signing import sign_in_staff
from tests.web.support.conftest import seen


class Store(Protocol):
    """What happens in a store, and what becomes of its webhooks."""

    def start_cart(self, email: str) -> Any:
        """A shopper comes to the checkout and types an address; returns what names the cart."""

    def change_cart(self, cart: Any, quantity: int = 3) -> None:
        """More is put into it."""

    def order(self, email: str) -> int:
        """Something is bought; returns the order's number."""

    def edit_order(self, number: int) -> None:
        """The merchant cancels an order."""

    def edit_all(self) -> None:
        """The merchant edits a customer, a product and a code, which are made the first time."""

    def delete_order(self, number: int) -> None:
        """An order is deleted for good, and nothing is sent."""

    def cut(self) -> None:
        """No webhook is sent any more."""

    def mend(self) -> None:
        """Webhooks are sent again."""

    def subscribed(self) -> set[str]:
        """The topics that come again by subscriptions that we made."""


@dataclass(slots=True)
class ShopifyStore:
    """The pretend Shopify; `edits`: how often everything was edited."""

    twin: ShopifyTwin
    edits: int = 0
    code: int = 0
    customer: int = 0

    @property
    def _sku(self) -> str:
        return next(iter(self.twin.shop.products.values())).variants[0].sku

    def start_cart(self, email: str) -> str:
        shopper = Shopper(email, "Anna", "Petit", "+33645678901", Address("Anna", "Petit", phone="06 45 67 89 01"))
        return self.twin.start_checkout([(self._sku, 1)], customer=shopper, accepts_marketing=True)

    def change_cart(self, cart: str, quantity: int = 3) -> None:
        self.twin.change_quantity(cart, self._sku, quantity)

    def order(self, email: str) -> int:
        return self.twin.pay(self.start_cart(email))

    def edit_order(self, number: int) -> None:
        self.twin.cancel_order(number)

    def edit_all(self) -> None:
        shop, self.edits = self.twin.shop, self.edits + 1
        if not self.code:
            self.start_cart("zoe@example.org")
            self.customer = max(shop.customers)
            self.code = self.twin.make_discount("MERCI", 10)
        self.twin.edit_discount(self.code, usageLimit=self.edits)
        self.twin.edit_customer(self.customer, replace(shop.customers[self.customer].shopper, last_name=f"Petit {self.edits}"))
        self.twin.set_price(self._sku, f"1{self.edits}.90")

    def delete_order(self, number: int) -> None:
        with self.twin.shop.lock:
            del self.twin.shop.orders[number]

    def cut(self) -> None:
        for topic in self.topics:
            self.twin.silence(topic)
        with self.twin.shop.lock:
            self.twin.shop.subscriptions.clear()

    def mend(self) -> None:
        for topic in self.topics:
            self.twin.speak(topic)

    @property
    def topics(self) -> tuple[str, ...]:
        """Those of orders, checkouts and customers."""
        orders = ("orders/create", "orders/updated", "orders/paid", "orders/cancelled")
        return (*orders, "checkouts/create", "checkouts/update", "customers/create", "customers/update", "carts/create", "carts/update")

    def subscribed(self) -> set[str]:
        return {one.topic.lower().replace("_", "/", 1) for one in self.twin.shop.subscriptions}


@dataclass(slots=True)
class WooStore:
    """The pretend WooCommerce, with the plugin; `edits`: how often everything was edited."""

    twin: WooCommerceTwin
    edits: int = 0
    code: int = 0

    @property
    def _sku(self) -> str:
        return next(iter(self.twin.store.products.values())).sku

    def start_cart(self, email: str) -> str:
        session = self.twin.start_cart([(self._sku, 1)])
        self.twin.open_page(session)
        self.twin.type_into(session, email, "06 45 67 89 01", "Anna Petit")
        return session

    def change_cart(self, cart: str, quantity: int = 3) -> None:
        self.twin.set_quantity(cart, self._sku, quantity)

    def order(self, email: str) -> int:
        return self.twin.make_order([(self._sku, 1)], Contact(email, "Anna", "Petit", "06 45 67 89 01"))

    def edit_order(self, number: int) -> None:
        self.twin.cancel_order(number)

    def edit_all(self) -> None:
        store, self.edits = self.twin.store, self.edits + 1
        if not self.code:
            self.twin.add_customer(Contact("zoe@example.org", "Zoé"))
            self.code = self.twin.coupons.make("merci", amount="10").id
        self.twin.coupons.edit(self.code, amount=f"1{self.edits}")
        self.twin.edit_customer(min(store.customers), last_name=f"Petit {self.edits}")
        self.twin.set_price(self._sku, f"1{self.edits}.90")

    def delete_order(self, number: int) -> None:
        with self.twin.store.lock:
            del self.twin.store.orders[number]

    def cut(self) -> None:
        """One is switched off, as after failures, the others are deleted."""
        with self.twin.store.lock:
            for number in list(self.twin.store.webhooks)[1:]:
                del self.twin.store.webhooks[number]
            for hook in self.twin.store.webhooks.values():
                hook.status = "disabled"

    def mend(self) -> None:
        """They were made anew by who looked."""

    def subscribed(self) -> set[str]:
        return {one.topic for one in self.twin.store.webhooks.values() if one.status == "active"}


@dataclass
class Outage:
    """A connected shop, its store, and our side of it."""

    stage: Stage | WooStage
    store: Store
    sender: FakeSender

    @property
    def services(self) -> Services:
        """Everything background work needs."""
        return self.stage.services

    @property
    def shop_id(self) -> int:
        """The shop."""
        return self.stage.shop_id

    def settle(self) -> None:
        """Everything that is on its way arrives and is applied, and what must be read again is read."""
        self.stage.settle()
        while rereads.reread(self.services, self.shop_id):
            pass

    def later(self, minutes: float) -> None:
        """Time goes by, for the store as for us."""
        with self.services.db.system_transaction("time goes by") as session:
            clock.step_to(session, clock.read(session) + timedelta(minutes=minutes))

    def pull(self) -> None:
        """The first pull after the install."""
        assert backfill.begin_due(self.services) == 1
        while self.stage.rows("select 1 from sync_runs where shop_id = :shop and finished_at is null"):
            engine.work(self.services, self.shop_id)
            self.later(0.3)

    def look(self) -> None:
        """One reconcile."""
        listening.listen(self.services, self.shop_id)

    def work(self, days: int) -> None:
        """Workers take their turns for so long."""
        for minutes in (61, *[24 * 60] * days):
            self.later(minutes)
            self.settle()
            abandon.mark_abandoned(self.services, self.shop_id)
            offers.tend(self.services, self.shop_id)
            send.send_messages(self.services, self.shop_id)

    def turn_on(self) -> None:
        """The merchant turns the reminders on."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            automations.turn_on(session, shops.get_shop(session, self.shop_id), Actor("merchant"))

    def differing(self) -> list[str]:
        """All that the store's API returns and that we keep otherwise."""
        platform = self.services.platforms[self.store_name]
        reads = platform.reads
        assert reads is not None
        found: list[str] = []
        for kind in KINDS:
            cursor: str | None = None
            while True:
                page = call_shop(self.services, self.shop_id, partial(_page, reads, kind, cursor))
                with self.services.db.transaction(shop=self.shop_id) as session:
                    shop = hold_inbox(session, self.shop_id)
                    assert shop is not None
                    compared = taking.again(session, self.services, shop, taking.gather([page]))
                found += [f"{kind.value} {one.platform_id} {dict(one.fields)}" for one in compared.differences]
                cursor = page.cursor
                if cursor is None:
                    break
        return found

    @property
    def store_name(self) -> str:
        """The platform."""
        return "shopify" if isinstance(self.store, ShopifyStore) else "woocommerce"

    def drop(self, chance: float) -> None:
        """So many of the store's deliveries get lost."""
        self.stage.twin.deliveries.mischief.drop = chance

    def dropped(self) -> int:
        """How many got lost so far."""
        return self.stage.twin.deliveries.faults.counts.get("drop", 0)

    def now(self) -> datetime:
        """This instant."""
        with self.services.db.transaction(shop=self.shop_id) as session:
            return app_now(session)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Any rows, past all policies."""
        return [tuple(row.values()) for row in self.stage.rows(statement)]

    def notices(self) -> list[tuple[str, bool]]:
        """What owners were told of gaps, and whether that is settled."""
        found = self.stage.rows("select detail, settled_at is not null s from notices where cause = 'gap_found' order by id")
        return [(row["detail"], row["s"]) for row in found]

    def page(self) -> str:
        """What support sees of the shop's syncing."""
        settings = self.services.settings
        broker = make_broker(settings)
        parts = Composition(settings, self.services, broker, Bell(broker, self.services))
        with self.services.db.transaction(shop=self.shop_id) as session:
            shop = shops.get_shop(session, self.shop_id).public_id
        with browser(parts) as client:
            sign_in_staff(client, parts, StaffRole.SUPPORT)
            found = client.get(f"/support/shops/{shop}/sync")
        assert found.status_code == 200
        return seen(found.text)

    def reports(self) -> list[Any]:
        """The gap reports."""
        return list(self.stage.rows("select * from gap_reports where shop_id = :shop order by id"))

    def count(self, table: str) -> int:
        """How many rows of the shop there are."""
        return int(self.stage.rows(f"select count(*) n from {table} where shop_id = :shop")[0]["n"])


def _page(reads: Any, kind: Any, cursor: str | None, access: Any) -> Any:
    return reads.changes(access, kind, None, None, cursor)


@contextmanager
def outage(platform: str, directory: Path, db: Database, vault: Vault, settings: Settings) -> Iterator[Outage]:
    """A connected shop of this platform, with its reminders on, which was looked at a moment ago."""
    with ExitStack() as stack:
        if platform == "shopify":
            stage: Stage | WooStage = stack.enter_context(shopify_stage(directory, db, vault, settings))
            stage.twin.shop.bucket = Bucket(20_000.0, 20_000.0)  # type: ignore[union-attr] # what is waited for is tested elsewhere
            store: Store = ShopifyStore(stage.twin)  # type: ignore[arg-type] # of this platform
        else:
            shop = install(db, vault, "woocommerce", "boutique.test", "Boutique")
            stage = stack.enter_context(woo_stage(directory, db, vault, settings, shop))
            stage.twin.plugin = True  # type: ignore[union-attr]
            store = WooStore(stage.twin)  # type: ignore[arg-type]
        sender = stage.services.mail
        assert isinstance(sender, FakeSender)
        made = Outage(stage, store, sender)
        made.settle()
        made.look()
        made.pull()
        made.turn_on()
        made.later(21)
        made.look()
        made.later(11)
        yield made
