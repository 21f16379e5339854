"""
The story: one day in two stores. Everything happens over HTTP, as it would outside.

Opening time is when the merchant turns both automations on; all minutes count from there. Where a page does not load, people
do what people do: they try again a moment later.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.cli.demo.offers import OfferLife, play_offers
from connector.cli.demo.patience import act_until_it_works
from connector.cli.demo.people import Person, ShopifyTill, Till, WooCommerceTill
from connector.cli.demo.world import World
from connector.errors import ConnectorError
from integrations.sandbox.mail_catcher import CaughtMail
from integrations.sandbox.shopper import Browser

Say = Callable[[str], None]
REPEATS = 0.3
SHUFFLE = 3
_SHOP = re.compile(r"/app/shops/[^/?]+")


def cast(store: str) -> dict[str, Person]:
    """Who comes to one store, and what must come of it."""
    nobody = Person("Nobody", store, "gives no e-mail", reason="not_identified")
    if store == WooCommerceTill.name:
        nobody = Person("Nobody", store, "gives no e-mail, so the plugin keeps nothing", reason="none")
    people = [
        Person("Early", store, "left before the automation was on", reason="automation_off"),
        Person("Alice", store, "leaves, gets the mail, returns by its link and pays", (60,), orders=1, reason="sent"),
        Person("Bruno", store, "pays in time", orders=1, reason="purchased"),
        Person("Dana", store, "orders by bank transfer", orders=1, reason="purchased"),
        nobody,
        Person("Emma", store, "edits the cart after 40 minutes", (100,), reason="sent"),
        Person("Ugo", store, "gets the mail and unsubscribes; leaves another cart", (60,), reason="suppressed"),
    ]
    return {person.name: person for person in people}


@dataclass(slots=True)
class Story:
    """The day, and where it stands. `opened_at`: when the automations were turned on."""

    world: World
    say: Say
    opened_at: datetime = field(init=False)
    merchant: Browser = field(init=False)
    tills: list[Till] = field(init=False)
    lives: list[OfferLife] = field(init=False, default_factory=list)
    casts: dict[str, dict[str, Person]] = field(init=False)

    def __post_init__(self) -> None:
        self.merchant = self.world.sandbox.browser()
        self.tills = [ShopifyTill(self.world.sandbox), WooCommerceTill(self.world.sandbox)]
        self.casts = {till.name: cast(till.name) for till in self.tills}
        self.opened_at = self.world.now()

    @property
    def people(self) -> list[Person]:
        """Everybody, store by store."""
        return [person for people in self.casts.values() for person in people.values()]

    def play(self) -> None:
        """The whole day. Raises ConnectorError if a page or mail that the story needs does not come."""
        try:
            self._install()
            for machine in self.world.sandbox.machines:
                machine.mischief.repeat, machine.mischief.window = REPEATS, SHUFFLE
            self._before_opening()
            self._open()
            self._morning()
            self._mails_arrive()
            self._at(minutes=24 * 60)
            self.say("A day has passed.")
            play_offers(self.world, self.merchant, self.lives, self.say)
        finally:
            self.merchant.close()

    def _install(self) -> None:
        """
        One merchant connects both stores in one browser: the first install makes the account and signs its owner in, the second
        store joins it.
        """
        self.say("A merchant installs the app from the Shopify App Store …")
        act_until_it_works("the Shopify install", self.install_shopify, self.merchant, is_begun_anew=True)
        self.say("… and connects a WooCommerce store as well.")
        act_until_it_works("the WooCommerce install", self.install_woocommerce, self.merchant, is_begun_anew=True)
        self.world.settle()

    def install_shopify(self, browser: Browser) -> int:
        """A merchant installs the app from the platform's own page; the status of the page it ends at."""
        grant = browser.open(self.world.sandbox.shopify.install_url(self.world.sandbox.app_origin))
        return browser.click(grant, "Install app").status

    def install_woocommerce(self, browser: Browser) -> int:
        """A merchant types the store's address and approves; the status of the page it ends at."""
        form = browser.open(f"{self.world.sandbox.app_origin}/connect/woocommerce")
        grant = browser.submit(form, store=self.world.sandbox.woocommerce.origin)
        return browser.click(grant, "Approve").status

    def _before_opening(self) -> None:
        for till in self.tills:
            self._leave(till, "Early")
        self.world.advance(self.world.now() + timedelta(hours=2))
        self.say("Early left a cart in each store; the automation is still off, and nothing is sent.")

    def _open(self) -> None:
        """Turn both automations on, on their pages."""
        dashboard = self.merchant.open(f"{self.world.sandbox.app_origin}/app")
        shops = [found[0] for link in dashboard.links if (found := _SHOP.match(link.href))]
        for shop in dict.fromkeys(shops):
            act_until_it_works("turning the automation on", self._turn_on, f"{shop}/automation")
            self.lives.append(OfferLife(self._till_of(shop), shop))
        self.opened_at = self.world.now()
        self.say("The merchant turns the abandoned-checkout e-mail on in both. The shops open.")

    def _till_of(self, path: str) -> Till:
        """The store that this page is of: its address stands there."""
        page = self.merchant.open(f"{self.world.sandbox.app_origin}{path}")
        twin = self.world.sandbox.shopify
        return self.tills[0] if twin.domain in page.text else self.tills[1]

    def _turn_on(self, path: str) -> int:
        page = self.merchant.open(f"{self.world.sandbox.app_origin}{path}")
        is_on = any("/automation/off" in link.href for link in page.links)
        return page.status if is_on else self.merchant.click(page, "Turn on").status

    def _morning(self) -> None:
        for till in self.tills:
            for name in ("Alice", "Bruno", "Dana", "Emma", "Ugo"):
                self._leave(till, name)
            self._leave(till, "Nobody", email=False)
        self._at(minutes=10)
        for till in self.tills:
            till.pay(self._checkout(till, "Bruno"))
        self._at(minutes=15)
        for till in self.tills:
            till.transfer(self._checkout(till, "Dana"))
        self.say("Bruno pays by card, Dana by bank transfer.")
        self._at(minutes=40)
        for till in self.tills:
            till.edit(self._checkout(till, "Emma"))
        self._at(minutes=55)
        for till in self.tills:
            till.recalculate(self._checkout(till, "Alice"))
        self.say("Emma edits her cart; Alice's is recalculated by the platform, which is no activity of hers.")

    def _mails_arrive(self) -> None:
        self._at(minutes=75)
        browser = self.world.sandbox.browser()
        try:
            for till in self.tills:
                act_until_it_works("Alice's payment", self._return, till, "Alice")
                act_until_it_works("Ugo's unsubscription", browser.unsubscribe_one_click, self._mail(self.casts[till.name]["Ugo"]))
        finally:
            browser.close()
        self.say("Alice returns by the link in her mail and pays; Ugo unsubscribes with one click.")
        self._at(minutes=120)
        for till in self.tills:
            self._leave(till, "Ugo")

    def _return(self, till: Till, name: str) -> int:
        return till.return_by(self._mail(self.casts[till.name][name]), self._checkout(till, name)).status

    def _leave(self, till: Till, name: str, *, email: bool = True) -> None:
        person = self.casts[till.name][name]
        if checkout := till.leave(person, email=email):
            person.checkouts.append(checkout)
        self.world.settle()

    def _at(self, *, minutes: int) -> None:
        self.world.advance(self.opened_at + timedelta(minutes=minutes))

    def _checkout(self, till: Till, name: str) -> str:
        return self.casts[till.name][name].checkouts[0]

    def _mail(self, person: Person) -> CaughtMail:
        mails = self.world.sandbox.mail.messages(to=person.email)
        if not mails:
            raise ConnectorError(f"{person.name} of {person.store} got no mail")
        return mails[0]
