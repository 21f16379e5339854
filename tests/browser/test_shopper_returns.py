"""A shopper opens the link of the reminder: the pretend Shopify's own page, with what can still be bought and what changed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, expect

from connector.platforms import Callback
from connector.store import shops
from connector.web.composition import Composition
from integrations.registry import make_platforms, make_transport
from integrations.sandbox.shopify_tokens import signed_query
from integrations.sandbox.shopify_twin import ShopifyTwin
from integrations.sandbox.world import Sandbox
from sync import apply, send
from tests.browser.conftest import Opens, Site
from tests.browser.kit import befriend, faults_of
from tests.conftest import TestShop
from tests.fake_sender import FakeSender
from tests.sync.world import Arrival, keep
from tests.web.conftest import abandon, scalar, turn_on

NOTICE = "Something has changed since your last visit."


@dataclass
class Watchdial:
    """The time in the pretend store: what shoppers did was so long ago."""

    ago: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) - self.ago


@dataclass(frozen=True)
class Story:
    """A shop of ours on the pretend Shopify, and a shopper who left."""

    parts: Composition
    site: Site
    sandbox: Sandbox
    shop: TestShop
    dial: Watchdial
    opens: Opens

    @property
    def twin(self) -> ShopifyTwin:
        """The store."""
        return self.sandbox.shopify

    def leave(self, *lines: tuple[str, int]) -> str:
        """Somebody fills a checkout, leaves, and it counts as abandoned; returns its token."""
        self.dial.ago = timedelta(minutes=90)
        token = self.twin.start_checkout(lines, email="anna@example.org")
        self.dial.ago = timedelta(0)
        assert self.twin.deliveries.settle()
        (row,) = [one for one in self.twin.deliveries.deliveries("checkouts/create") if json.loads(one.body)["token"] == token]
        keep(self.parts.db, self.shop, [Arrival(row.topic, row.body)])
        apply.drain(self.parts.services, self.shop.id)
        assert abandon(self.parts, self.shop) == 1
        return token

    def mailed(self) -> str:
        """The reminder is sent; returns the path of its link."""
        assert send.send_messages(self.parts.services, self.shop.id) == 1
        path = f"/r/{scalar(self.parts, 'select link_token from messages')}"
        sender = self.parts.services.mail
        assert isinstance(sender, FakeSender)
        assert path in sender.handed[-1].text
        return path

    def follow(self, path: str) -> Page:
        """Open a link in a browser that has never been here: another device."""
        page = self.opens()
        befriend(page, self.sandbox.browser_map[self.twin.origin])
        page.goto(path)
        return page


@pytest.fixture
def dial() -> Watchdial:
    return Watchdial()


@pytest.fixture
def sandbox(tmp_path: Path, dial: Watchdial) -> Iterator[Sandbox]:
    """The pretend stores."""
    with Sandbox(tmp_path / "tls", dial) as world:
        yield world


@pytest.fixture
def parts(make_parts: Callable[..., Composition], sandbox: Sandbox) -> Iterator[Composition]:
    """Our process against the pretend stores, on the real adapters."""
    led = {
        "address_map": sandbox.address_map,
        "browser_map": sandbox.browser_map,
        "extra_ca": sandbox.ca_pem,
        "shopify_client_id": sandbox.client_id,
        "shopify_client_secret": type(make_parts().settings.shopify_client_secret)(sandbox.client_secret),
    }
    settings = make_parts(**led).settings
    transport = make_transport(settings)
    yield make_parts(make_platforms(settings, transport), **led)
    transport.close()


@pytest.fixture
def story(parts: Composition, site: Site, sandbox: Sandbox, dial: Watchdial, visitor_page: Opens) -> Story:
    """The app is installed and its automation is on."""
    twin = sandbox.shopify
    with twin.shop.lock:
        code = twin.tokens.mint_code(parts.settings.shopify_scopes.split(","))
    pairs = {"code": code, "shop": twin.domain, "state": "state-1", "timestamp": str(int(dial().timestamp()))}
    callback = Callback(tuple(parse_qsl(signed_query(pairs, sandbox.client_secret))))
    shopify = parts.services.platforms["shopify"]
    made = shopify.finish_install(callback, {"shop": twin.domain}, "state-1", "https://connector.test/callback", dial())
    with parts.db.system_transaction("install for a test") as session:
        kept = shops.save_install(session, parts.services.vault, "shopify", made, fresh_key="key-demo", fresh_secret="x")
    shop = TestShop(kept.shop_id, "shopify", twin.domain, kept.shop_key, kept.webhook_secret)
    turn_on(parts, shop)
    return Story(parts, site, sandbox, shop, dial, visitor_page)


@pytest.mark.spec("SQ-03")
def test_the_link_leads_back_to_the_same_things_and_they_can_be_bought_on_another_device(story: Story) -> None:
    token = story.leave(("CEDAR-L", 2), ("SALT-SOAP", 1))
    page = story.follow(story.mailed())
    assert page.url.startswith(story.sandbox.browser_map[story.twin.origin])
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="Cedar Candle")).to_contain_text("2 ×")
    expect(rows.filter(has_text="Sea Salt Soap")).to_contain_text("1 ×")
    expect(rows.filter(has_text="Total").last).to_contain_text("73.50 USD")
    expect(page.get_by_role("alert")).to_have_count(0)

    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you for your order")
    (order,) = story.twin.shop.orders.values()
    assert order.checkout.token == token
    assert [(line.variant.sku, line.quantity) for line in order.checkout.lines] == [("CEDAR-L", 2), ("SALT-SOAP", 1)]
    assert faults_of(page) == []


@pytest.mark.spec("SQ-03")
def test_code_and_campaign_of_our_link_arrive_and_the_code_is_honoured(story: Story) -> None:
    story.leave(("CEDAR-L", 2))
    story.twin.make_discount("THANKS-10", 10)
    page = story.follow(story.mailed() + "?discount=thanks-10&utm_source=connector&utm_campaign=abandoned%20checkout")
    arrived = dict(parse_qsl(urlsplit(page.url).query))
    assert {name: arrived[name] for name in ("discount", "utm_source", "utm_campaign")} == {
        "discount": "thanks-10",
        "utm_source": "connector",
        "utm_campaign": "abandoned checkout",
    }
    assert arrived["key"]
    expect(page.get_by_role("row").filter(has_text="Discount")).to_contain_text("-6.40 USD")
    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_role("row").filter(has_text="Total").last).to_contain_text("57.60 USD")
    (order,) = story.twin.shop.orders.values()
    used = story.twin.shop.discounts.find("THANKS-10")
    assert used is not None
    assert (order.checkout.discount_code, used.used) == ("thanks-10", 1)


def test_a_code_that_does_not_hold_any_more_is_said_and_the_checkout_can_still_be_bought(story: Story) -> None:
    story.leave(("CEDAR-L", 2))
    page = story.follow(story.mailed() + "?discount=GONE-10")
    expect(page.get_by_role("alert")).to_contain_text("The discount code GONE-10 is not valid.")
    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_role("row").filter(has_text="Total").last).to_contain_text("64.00 USD")


@pytest.mark.spec("SQ-07")
@pytest.mark.parametrize("how", ["sold out", "deleted", "hidden"])
def test_what_cannot_be_bought_any_more_is_absent_and_the_page_says_that_something_changed(story: Story, how: str) -> None:
    story.leave(("CEDAR-L", 2), ("SALT-SOAP", 1))
    path = story.mailed()
    soap = story.twin.shop.find_variant("SALT-SOAP")[0].id
    {
        "sold out": lambda: story.twin.set_stock("SALT-SOAP", 0),
        "deleted": lambda: story.twin.delete_product(soap),
        "hidden": lambda: story.twin.edit_product(soap, is_published=False),
    }[how]()

    page = story.follow(path)
    expect(page.get_by_role("alert")).to_contain_text(NOTICE)
    expect(page.get_by_role("alert")).to_contain_text("Sea Salt Soap is " + ("sold out" if how == "sold out" else "not sold any more"))
    expect(page.get_by_role("row").filter(has_text="Sea Salt Soap")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Total").last).to_contain_text("64.00 USD")
    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you for your order")
    (order,) = story.twin.shop.orders.values()
    assert [line.variant.sku for line in order.checkout.lines] == ["CEDAR-L"]


@pytest.mark.spec("SQ-08")
@pytest.mark.parametrize("price", ["35.00", "29.00"])
def test_a_price_that_changed_is_the_current_one_and_the_page_says_so(story: Story, price: str) -> None:
    story.leave(("CEDAR-L", 2))
    path = story.mailed()
    story.twin.set_price("CEDAR-L", price)

    page = story.follow(path)
    expect(page.get_by_role("alert")).to_contain_text(NOTICE)
    expect(page.get_by_role("alert")).to_contain_text(f"The price of Cedar Candle has changed from 32.00 to {price} USD.")
    total = f"{2 * float(price):.2f} USD"
    expect(page.get_by_role("row").filter(has_text="Cedar Candle")).to_contain_text(total)
    page.get_by_role("button", name="Pay now").click()
    expect(page.get_by_role("row").filter(has_text="Total").last).to_contain_text(total)


def test_looking_changes_nothing_so_the_page_says_it_again(story: Story) -> None:
    story.leave(("CEDAR-L", 2), ("SALT-SOAP", 1))
    path = story.mailed()
    story.twin.set_stock("SALT-SOAP", 0)
    for _ in range(2):
        expect(story.follow(path).get_by_role("alert")).to_contain_text(NOTICE)
    story.twin.set_stock("SALT-SOAP", 5)
    page = story.follow(path)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Sea Salt Soap")).to_have_count(1)


def test_what_is_sold_out_when_the_reminder_leaves_is_not_in_it(story: Story) -> None:
    story.leave(("CEDAR-L", 2), ("SALT-SOAP", 1))
    story.twin.set_stock("SALT-SOAP", 0)
    story.mailed()
    sender = story.parts.services.mail
    assert isinstance(sender, FakeSender)
    (envelope,) = sender.handed
    for part in (envelope.html, envelope.text):
        assert "Cedar Candle" in part
        assert "Sea Salt Soap" not in part


@pytest.mark.spec("SQ-06")
def test_an_order_of_which_no_webhook_came_stops_the_reminder(story: Story) -> None:
    story.twin.pay(story.leave(("CEDAR-L", 2)))
    assert send.send_messages(story.parts.services, story.shop.id) == 0
    assert scalar(story.parts, "select state || ' ' || reason from messages") == "cancelled purchased"
