"""
A shop on either pretend store with its offers: our door, our work, our pages over HTTP, a signed-in merchant and shoppers with a browser.

Nothing runs by itself: `settle` does everything that was rung for or is due, as workers and the sweep would, until nothing is left.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
from starlette.testclient import TestClient

from connector import clock as our_clock
from connector.codes import CodeKind, CodeState
from connector.config import Settings
from connector.messages.envelope import Envelope
from connector.rules.offers import CodeMode
from connector.rules.permissions import Role
from connector.store import clock, offer_codes, offers, shops
from connector.store.audit import Actor
from connector.store.db import Database, Session, Wake
from connector.store.offer_tables import OfferVersionRow
from connector.store.offers import OfferView, Terms
from connector.store.sealed import Vault
from connector.store.tables import ShopRow
from connector.web import cookies
from connector.web.composition import Composition
from connector.web.merchant.offer_forms import with_code
from integrations.sandbox.shopper import read_page
from sync import actors, code_watch, sweep
from sync import offer_codes as offer_making
from sync.broker import Bell, make_broker
from sync.jobs import Job
from sync.services import Services
from tests.conftest import TestShop, install
from tests.fake_sender import FakeSender
from tests.flows.forms import find_button, listed
from tests.flows.offer_acts import Acts, ShopifyActs, WooActs
from tests.sync.shopify_stage import Stage, shopify_stage
from tests.sync.woo_stage import WooStage, woo_stage
from tests.web.conftest import ORIGIN, browser
from tests.web.signing import BROWSER, keep, send, sign_in

MERCHANT = Actor("mem_of_the_test")
ROUNDS = 60
_GRANTS = "select g.*, v.version from grants g join offer_versions v on v.id = g.version_id where g.shop_id = :shop"
_OWNERS = """
    select m.email from members m join shops s on s.account_id = m.account_id
    where s.id = :shop and m.role = 'owner' and m.email is not null
"""
_OF_CODE = ("code", "is_ours", "kind", "value", "currency", "minimum_subtotal", "usage_limit", "once_per_customer", "ends_at")
_TEN_PERCENT: dict[str, Any] = {
    "headline": "Thank you for your order",
    "body": "Here is something for your next one.",
    "kind": CodeKind.PERCENTAGE,
    "value": Decimal(10),
    "currency": "EUR",
}


@dataclass
class OfferShop:
    """One connected shop. `acts`: what its people do; `merchant`: their browser, signed in; `shopper`: one that nobody knows."""

    stage: Stage | WooStage
    acts: Acts
    parts: Composition
    shop: TestShop
    sender: FakeSender
    merchant: TestClient
    shopper: TestClient
    rung: list[Wake] = field(default_factory=list)

    @property
    def services(self) -> Services:
        """What work is done with."""
        return self.parts.services

    @property
    def now(self) -> datetime:
        """What time it is."""
        return our_clock.now()

    # ------------------------------------------------------------ work and time

    def settle(self, *, without: Collection[Job] = ()) -> None:
        """Everything that is on its way arrives, and everything that is due is done, but for some jobs."""
        for _ in range(ROUNDS):
            assert self.stage.settle_world()
            rung, self.rung[:] = [(Job(wake.job), wake.shop_id) for wake in self.rung], []
            due = [one for one in dict.fromkeys([*rung, *sweep.find_due(self.services)]) if one[0] not in without]
            if not due:
                return
            for job, shop_id in due:
                actors.WORK[job](self.services, shop_id)
        raise AssertionError(f"the work does not end: {due}")

    def look(self) -> None:
        """The scheduler's turn for codes comes, and what it finds is done."""
        code_watch.look(self.services)
        self.settle()

    def later(self, minutes: int) -> None:
        """Time goes by for everybody, a minute at a time, and the scheduler works."""
        for _ in range(minutes):
            self.jump(timedelta(minutes=1))

    def jump(self, step: timedelta) -> None:
        """Time goes by at once; nobody was there meanwhile, and then the scheduler has its turn. After a day the merchant signs in anew."""
        self.pass_time(step)
        if step >= timedelta(days=1):
            sign_in(self.merchant, self.parts, self.shop, Role.MARKETER)
        self.look()

    def pass_time(self, step: timedelta) -> None:
        """Time goes by, and nobody does anything."""
        with self.services.db.system_transaction("time goes by") as session:
            clock.step_to(session, clock.read(session) + step)

    # ------------------------------------------------------------ offers

    def make_offer(self, name: str = "Merci", *, is_published: bool = True, **terms: Any) -> str:
        """The merchant makes an offer, of ten per cent unless said otherwise, and publishes it; returns its public id."""
        with self.shop_session() as (session, shop):
            row = offers.create_draft(session, shop, name, Terms(**_TEN_PERCENT | terms), MERCHANT)
            made = row.public_id
        if is_published:
            self.publish(made)
        return made

    def shared(self, code: str, **terms: Any) -> str:
        """An offer of a code that the merchant has in the store."""
        return self.make_offer(**self.choose(code) | terms)

    def ours(self, code: str, *, days: int = 30, **terms: Any) -> str:
        """An offer of one code for everybody that we make."""
        return self.make_offer(code=code, is_ours=True, ends_at=self.day(days), **terms)

    def unique(self, **terms: Any) -> str:
        """An offer of a code for each."""
        usual: dict[str, Any] = {"mode": CodeMode.UNIQUE, "valid_days": 14, "prefix": "MERCI"}
        return self.make_offer(**usual | terms)

    def change(self, offer: str, **terms: Any) -> None:
        """The merchant saves the offer with something changed."""
        with self.shop_session() as (session, shop):
            seen = offers.get_offer(session, shop, offer, can_send_mail=True, lock=True)
            held = offers.terms_of(seen.version)
            values = {name: getattr(held, name) for name in Terms.__dataclass_fields__}
            version = offers.save(session, shop, seen.offer, seen.offer.name, Terms(**values | terms), MERCHANT)
            self._want(session, version)
        self.settle()

    def publish(self, offer: str) -> None:
        """The merchant publishes it."""
        with self.shop_session() as (session, shop):
            seen = offers.get_offer(session, shop, offer, can_send_mail=True, lock=True)
            offers.publish(session, shop, seen.offer, MERCHANT, can_send_mail=True)
            self._want(session, seen.version)
        self.settle()
        # Stores tell times in whole seconds, and nobody buys within the one of the click.
        self.pass_time(timedelta(seconds=1))

    def switch_off(self, offer: str, act: str = "deactivate") -> None:
        """The merchant deactivates it, or deletes it."""
        with self.shop_session() as (session, shop):
            seen = offers.get_offer(session, shop, offer, can_send_mail=True, lock=True)
            (offers.delete if act == "delete" else offers.deactivate)(session, shop, seen.offer, MERCHANT)
        self.settle()

    def choose(self, code: str) -> dict[str, Any]:
        """The merchant chooses a code of the store: it is read; the terms that an offer has with it."""
        state = offer_making.choose(self.services, self.shop.id, code)
        assert state is not None, f"the store has no code {code}"
        terms = with_code(Terms(), state)
        return {name: getattr(terms, name) for name in _OF_CODE}

    def day(self, days: int) -> datetime:
        """The same moment so many days on, in whole seconds."""
        return self.now.replace(microsecond=0) + timedelta(days=days)

    # ------------------------------------------------------------ what is kept

    def rows(self, statement: str, **values: Any) -> list[Mapping[str, Any]]:
        """Any rows, past all policies; `:shop` is the shop."""
        return self.stage.rows(statement, **values)

    def offer(self, offer: str) -> Mapping[str, Any]:
        """The row of an offer."""
        (row,) = self.rows("select * from offers where shop_id = :shop and public_id = :offer", offer=offer)
        return row

    def standing(self, offer: str) -> tuple[str, str | None]:
        """State and reason of an offer."""
        row = self.offer(offer)
        return row["state"], row["reason"]

    def grants(self) -> list[Mapping[str, Any]]:
        """All grants, oldest first."""
        return self.rows(
            "select g.*, v.version from grants g join offer_versions v on v.id = g.version_id where g.shop_id = :shop order by g.id"
        )

    def grant_of(self, order: str) -> Mapping[str, Any]:
        """What an order earned."""
        (row,) = self.rows(
            f"{_GRANTS} and g.order_id in (select id from orders where shop_id = :shop and platform_id = :order)", order=order
        )
        return row

    def decisions(self, order: str) -> list[str]:
        """Why an order earned an offer or did not."""
        found = self.rows(
            "select d.reason from grant_decisions d join orders o on o.id = d.order_id where d.shop_id = :shop and o.platform_id = :order",
            order=order,
        )
        return [row["reason"] for row in found]

    # ------------------------------------------------------------ shoppers

    def bought(self, email: str, code: str = "", quantity: int = 1) -> str:
        """Somebody buys, and all that comes of it is done; returns the order's id."""
        # Stores tell times in whole seconds, and nobody buys within one.
        self.pass_time(timedelta(seconds=2))
        order = self.acts.buy(email, code, quantity)
        self.settle()
        return order

    def page_of(self, order: str) -> httpx2.Response:
        """The shopper opens the link that this order earned."""
        return self.shopper.get(f"/o/{self.grant_of(order)['link_token']}")

    def json_of(self, order: str) -> httpx2.Response:
        """A storefront asks what the link shows."""
        return self.shopper.get(f"/o/{self.grant_of(order)['link_token']}.json")

    def is_shown(self, order: str) -> bool:
        """Whether page and JSON both show the offer with its code; they never disagree, and what is hidden holds no code."""
        grant, page, answer = self.grant_of(order), self.page_of(order), self.json_of(order)
        shown = page.status_code == 200 and answer.status_code == 200
        assert shown or (page.status_code, answer.status_code) == (410, 410), (page.status_code, answer.status_code)
        code = grant["code"] or "no code"
        assert (code in page.text) is shown
        assert answer.json()["status"] == "shown" if shown else set(answer.json()) == {"status"}
        assert not shown or answer.json()["code"] == code
        return shown

    # ------------------------------------------------------------ mails

    def mails_to(self, email: str) -> list[Envelope]:
        """What was handed over for an address."""
        return [one for one in self.sender.handed if one.to.lower() == email.lower()]

    def owner_mails(self) -> list[Envelope]:
        """What the owners of the shop were written, each mail of one owner."""
        owners = self.rows(_OWNERS)
        return [one for row in owners for one in self.mails_to(row["email"])]

    # ------------------------------------------------------------ pages

    @property
    def base(self) -> str:
        """Where the shop's pages are."""
        (row,) = self.rows("select public_id from shops where id = :shop")
        return f"/app/shops/{row['public_id']}"

    def open(self, path: str) -> httpx2.Response:
        """The merchant opens a page of the shop."""
        answer: httpx2.Response = self.merchant.get(f"{self.base}{path}")
        return answer

    def view(self, offer: str) -> OfferView:
        """How an offer stands now, as pages show it."""
        with self.shop_session() as (session, shop):
            return offers.get_offer(session, shop, offer, can_send_mail=True, with_deleted=True)

    def replace(self, offer: str, code: str) -> None:
        """The merchant takes the replacement code that is proposed, under this name."""
        with self.shop_session() as (session, shop):
            seen = offers.get_offer(session, shop, offer, can_send_mail=True, lock=True)
            version = offers.save(session, shop, seen.offer, seen.offer.name, offers.replacement(seen, code, self.now), MERCHANT)
            self._want(session, version)
        self.settle()

    def _want(self, session: Session, version: OfferVersionRow) -> None:
        if version.is_ours and version.mode == CodeMode.SHARED:
            offer_codes.want_shared(session, self.shop.id, version)

    def press(self, page: httpx2.Response, text: str, **values: str | bytes | None) -> httpx2.Response:
        """The merchant fills in a form of a page (bytes are a picture) and presses its button with these words; what is shown then."""
        form, button = find_button(page.text, text)
        path = urljoin(str(page.url), form.action)
        picture = values.pop("picture", b"")
        filled = form.filled(button, {name: value for name, value in values.items() if not isinstance(value, bytes)})
        if form.method == "GET":
            return self.merchant.get(path, params=filled)
        files = {"picture": ("picture.png", picture, "image/png")} if picture else None
        headers = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
        answer: httpx2.Response = self.merchant.post(path, data=filled, files=files, headers=headers)
        if answer.status_code == 303:
            self.settle()
            answer = self.merchant.get(urljoin(path, answer.headers["location"]))
        self.pass_time(timedelta(seconds=1))
        return answer

    def post(self, path: str, fields: Mapping[str, str]) -> httpx2.Response:
        """Somebody sends a form to the shop's pages that no page would send."""
        sent: Any = send(self.merchant, self.parts, f"{self.base}{path}", **dict(fields))
        assert isinstance(sent, httpx2.Response)
        return sent

    def pick(self, page: httpx2.Response, code: str, **values: str | None) -> httpx2.Response:
        """The merchant looks for a code of the store in the editor, chooses it, and saves without publishing a draft."""
        found = self.press(page, "Show codes", words=code, mode="existing", **values)
        is_draft = "Finish later" in found.text
        return self.press(found, "Finish later" if is_draft else "Save", chosen=listed(found.text, "chosen", code))

    def in_store(self, code: str) -> CodeState | None:
        """A code as the store has it now."""
        reader = self.services.platforms[self.acts.name].codes
        assert reader is not None
        return reader.read_code(self.stage.access(), code)

    @contextmanager
    def shop_session(self) -> Iterator[tuple[Session, ShopRow]]:
        """One transaction of the shop."""
        with self.services.db.transaction(shop=self.shop.id) as session:
            yield session, shops.get_shop(session, self.shop.id)


@contextmanager
def offer_shop(platform: str, directory: Path, db: Database, vault: Vault, settings: Settings) -> Iterator[OfferShop]:
    """A connected shop on the twin of this platform, with a merchant and a shopper."""
    with ExitStack() as stack:
        stage, acts, shop = _begin(stack, platform, directory, db, vault, settings)
        sender = stage.services.mail
        assert isinstance(sender, FakeSender)
        broker = make_broker(stage.services.settings)
        parts = Composition(stage.services.settings, stage.services, broker, Bell(broker, stage.services))
        merchant, shopper = stack.enter_context(browser(parts)), stack.enter_context(browser(parts, address="198.51.100.7"))
        sign_in(merchant, parts, shop, Role.MARKETER)
        keep(merchant, cookies.BROWSER, BROWSER)
        made = OfferShop(stage, acts, parts, shop, sender, merchant, shopper)
        db.on_wake(made.rung.append)
        made.settle()
        sender.handed.clear()
        yield made


def _begin(
    stack: ExitStack, platform: str, directory: Path, db: Database, vault: Vault, settings: Settings
) -> tuple[Stage | WooStage, Acts, TestShop]:
    if platform == "shopify":
        stage = stack.enter_context(shopify_stage(directory, db, vault, settings))
        return stage, ShopifyActs(stage.twin), TestShop(stage.shop_id, "shopify", stage.twin.domain, "key-twin", "secret")
    shop = install(db, vault, "woocommerce", "boutique.test", "Boutique")
    woo = stack.enter_context(woo_stage(directory, db, vault, settings, shop))
    return woo, WooActs(woo.twin), shop


def words_of(page: httpx2.Response) -> str:
    """What can be read on a page."""
    return read_page(str(page.url), page.status_code, page.text).text


def offer_in(page: httpx2.Response) -> str:
    """The public id of the offer whose page this is."""
    found = re.search(r"/offers/(ofr_[0-9a-f-]+)", str(page.url))
    assert found is not None, f"{page.url} is no offer's page: {words_of(page)}"
    return found[1]
