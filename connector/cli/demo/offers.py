"""
The demo's second day: the life of a post-purchase offer in both stores, from its first buyer to the code that replaces a deleted one.

Farah buys, gets a code and uses it. Gil buys and holds his unused. The merchant deletes the code in the store's admin: the offer is
suspended, Gil's link says so, the owner is mailed. One click gives the offer a new code, and Hana is given that one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from connector.cli.demo.patience import act_until_it_works
from connector.cli.demo.people import Till
from connector.cli.demo.world import World
from connector.errors import ConnectorError
from integrations.sandbox.mail_catcher import CaughtMail
from integrations.sandbox.shopper import Browser, Page, mail_links

CODE = "THANKS10"
NAME = "Thank you"
STATES = ("created", "published", "suspended", "changed", "resumed")
"""What must have happened to the offer, in this order."""
PAUSE = timedelta(minutes=5)
GONE = 410


@dataclass(slots=True)
class Buyer:
    """Someone who buys on the second day, and what must come of it: what the grant is in the end, and why."""

    name: str
    store: str
    does: str
    state: str
    reason: str = ""
    orders: int = 1
    uses: int = 0
    statuses: list[int] = field(default_factory=list)

    @property
    def email(self) -> str:
        """Their address, one per store."""
        return f"{self.name.lower()}@{self.store}.example"


@dataclass(slots=True)
class OfferLife:
    """One store's offer. `path`: its page; `codes`: the first one and the one that replaced it, as the shoppers were told them."""

    till: Till
    shop: str
    farah: Buyer = field(init=False)
    gil: Buyer = field(init=False)
    hana: Buyer = field(init=False)
    path: str = ""
    codes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        store = self.till.name
        self.farah = Buyer("Farah", store, "buys, gets a code, and uses it for another order", "used", "used", orders=2, uses=1)
        self.gil = Buyer("Gil", store, "buys, and holds his code when it is deleted in the store", "ended", "code_deleted")
        self.hana = Buyer("Hana", store, "buys after the code was replaced", "live")

    @property
    def buyers(self) -> tuple[Buyer, Buyer, Buyer]:
        """Everybody of this store."""
        return self.farah, self.gil, self.hana


def play_offers(world: World, merchant: Browser, lives: list[OfferLife], say: Callable[[str], None]) -> None:
    """The second day. Raises ConnectorError if a page or mail that it needs does not come."""
    shopper = world.sandbox.browser()
    try:
        _publish(world, merchant, lives)
        say("The next day the merchant offers 10 % off the next order to whoever buys, in both stores.")
        _buy(world, lives, shopper)
        say("Farah and Gil buy: each gets the code by e-mail. Farah uses hers; Gil keeps his.")
        _lose_code(world, lives, shopper)
        say("The merchant deletes the code in each store's admin: the offers are suspended, the owner is mailed, Gil's link is over.")
        _replace(world, merchant, lives)
        say("One click on the offer's page makes a new code: the offers are active again, and Hana is given the new one.")
    finally:
        shopper.close()


def _publish(world: World, merchant: Browser, lives: list[OfferLife]) -> None:
    for life in lives:
        act_until_it_works("writing the offer", _write, world, merchant, life)
        act_until_it_works("publishing the offer", _press, world, merchant, life, "Publish")
    world.advance(world.now() + PAUSE)


def _write(world: World, merchant: Browser, life: OfferLife) -> int:
    """Fill in the editor, unless the offer is there already; the status of the offer's page."""
    origin = world.sandbox.app_origin
    listed = merchant.open(f"{origin}{life.shop}/offers")
    held = next((link for link in listed.links if f"{life.shop}/offers/ofr_" in link.href), None)
    page = merchant.open(f"{origin}{held.href}") if held else _save_new(world, merchant, merchant.open(f"{origin}{life.shop}/offers/new"))
    if f"{life.shop}/offers/ofr_" in page.url:
        life.path = urlsplit(page.url).path
    return page.status


def _save_new(world: World, merchant: Browser, editor: Page) -> Page:
    form = next((one for one in editor.forms if "headline" in one.fields), None)
    if form is None:
        return editor
    typed = {
        "name": NAME,
        "headline": "Thank you for your order",
        "body": "Here is something off your next one.",
        "mode": "new",
        "code": CODE,
        "kind": "percentage",
        "value": "10",
        "ends_on": (world.now() + timedelta(days=30)).date().isoformat(),
        "once_per_customer": "on",
        "most_uses": "1",
        "act": "save",
    }
    return merchant.submit(editor, form, **typed)


def _press(world: World, merchant: Browser, life: OfferLife, words: str) -> int:
    """Press a button of the offer's page, unless it is not there any more because that is done; the status of the page that follows."""
    page = merchant.open(f"{world.sandbox.app_origin}{life.path}")
    has_button = any(words.lower() in form.fields.get("", "").lower() for form in page.forms)
    return merchant.click(page, words).status if has_button else page.status


def _buy(world: World, lives: list[OfferLife], shopper: Browser) -> None:
    for life in lives:
        life.till.buy(life.farah.email)
        life.till.buy(life.gil.email)
    world.advance(world.now() + PAUSE)
    for life in lives:
        life.codes.append(CODE)
        for buyer in (life.farah, life.gil):
            _look(world, shopper, buyer, shows=CODE)
        life.till.buy(life.farah.email, CODE)
    world.advance(world.now() + PAUSE)


def _look(world: World, shopper: Browser, buyer: Buyer, *, shows: str = "", hides: str = "") -> None:
    """Open one's own link and note how it was answered. Raises ConnectorError if it does not show, or does not hide, a code."""
    seen: list[Page] = []

    def open_link() -> int:
        seen.append(shopper.open(link_in(offer_mail(world, buyer))))
        return 200 if seen[-1].status == GONE else seen[-1].status

    act_until_it_works(f"the link of {buyer.name}", open_link)
    text = seen[-1].text.lower()
    if shows.lower() not in text or (hides and hides.lower() in text):
        raise ConnectorError(f"the page of the offer does not show {shows or 'that it is over'} to {buyer.name} of {buyer.store}")
    buyer.statuses.append(seen[-1].status)


def _lose_code(world: World, lives: list[OfferLife], shopper: Browser) -> None:
    for life in lives:
        life.till.delete_code(CODE)
    world.advance(world.now() + PAUSE)
    for life in lives:
        _look(world, shopper, life.gil, hides=CODE)


def _replace(world: World, merchant: Browser, lives: list[OfferLife]) -> None:
    for life in lives:
        act_until_it_works("a new code", _press, world, merchant, life, "Make a new code")
    world.advance(world.now() + PAUSE)
    for life in lives:
        life.till.buy(life.hana.email)
    world.advance(world.now() + PAUSE)
    for life in lives:
        life.codes.append(next((code for code in life.till.codes() if code.lower() != CODE.lower()), ""))


def offer_mail(world: World, buyer: Buyer) -> CaughtMail:
    """The one e-mail that somebody got about the offer. Raises ConnectorError."""
    mails = world.sandbox.mail.messages(to=buyer.email)
    if not mails:
        raise ConnectorError(f"{buyer.name} of {buyer.store} got no mail about the offer")
    return mails[0]


def link_in(mail: CaughtMail) -> str:
    """The shopper's own link in a mail. Raises ConnectorError."""
    found = next((link.href for link in mail_links(mail) if "/o/" in link.href), None)
    if found is None:
        raise ConnectorError("a mail about the offer has no link")
    return found
