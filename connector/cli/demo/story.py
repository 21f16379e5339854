"""
The story: one day in two stores. Everything happens over HTTP, as it would outside.

Opening time is when the merchants turn their automation on; all minutes count from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connector.cli.demo.people import Person, ShopifyTill, Till, WooCommerceTill
from connector.cli.demo.world import World
from connector.errors import ConnectorError
from integrations.sandbox.mail_catcher import CaughtMail

Say = Callable[[str], None]
REPEATS = 0.3
SHUFFLE = 3


def cast(store: str) -> dict[str, Person]:
    """Who comes to one store, and what must come of it."""
    people = [
        Person("Early", store, "left before the automation was on", reason="automation_off"),
        Person("Alice", store, "leaves, gets the mail, returns by its link and pays", (60,), orders=1, reason="sent"),
        Person("Bruno", store, "pays in time", orders=1, reason="purchased"),
        Person("Dana", store, "orders by bank transfer", orders=1, reason="purchased"),
        Person("Nobody", store, "gives no e-mail", reason="not_identified"),
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
    tills: list[Till] = field(init=False)
    casts: dict[str, dict[str, Person]] = field(init=False)

    def __post_init__(self) -> None:
        self.tills = [ShopifyTill(self.world.sandbox), WooCommerceTill(self.world.sandbox)]
        self.casts = {till.name: cast(till.name) for till in self.tills}
        self.opened_at = self.world.now()

    @property
    def people(self) -> list[Person]:
        """Everybody, store by store."""
        return [person for people in self.casts.values() for person in people.values()]

    def play(self) -> None:
        """The whole day. Raises ConnectorError if a page or mail that the story needs does not come."""
        self._install()
        for machine in self.world.sandbox.machines:
            machine.mischief.repeat, machine.mischief.window = REPEATS, SHUFFLE
        self._before_opening()
        self._open()
        self._morning()
        self._mails_arrive()
        self._at(minutes=24 * 60)
        self.say("A day has passed.")

    def _install(self) -> None:
        """Both merchants install the app in their browsers."""
        browser = self.world.sandbox.browser()
        try:
            self.say("A merchant installs the app from the Shopify App Store …")
            grant = browser.open(self.world.sandbox.shopify.install_url(self.world.sandbox.app_origin))
            _expect(browser.click(grant, "Install app").status, "the Shopify install")
            self.say("… and another connects a WooCommerce store.")
            form = browser.open(f"{self.world.sandbox.app_origin}/connect/woocommerce")
            grant = browser.submit(form, store=self.world.sandbox.woocommerce.origin)
            _expect(browser.click(grant, "Approve").status, "the WooCommerce install")
        finally:
            browser.close()
        self.world.settle()

    def _before_opening(self) -> None:
        for till in self.tills:
            self._leave(till, "Early")
        self.world.advance(self.world.now() + timedelta(hours=2))
        self.say("Early left a cart in each store; the automation is still off, and nothing is sent.")

    def _open(self) -> None:
        """Turn both automations on, on their pages."""
        browser = self.world.sandbox.browser()
        try:
            overview = browser.open(f"{self.world.sandbox.app_origin}/")
            pages = [link.href for link in overview.links if link.href.endswith("/automation")]
            for href in dict.fromkeys(pages):
                page = browser.open(f"{self.world.sandbox.app_origin}{href}")
                _expect(browser.click(page, "Turn on").status, "turning the automation on")
        finally:
            browser.close()
        self.opened_at = self.world.now()
        self.say("Both merchants turn the abandoned-checkout e-mail on. The shops open.")

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
                alice, ugo = self.casts[till.name]["Alice"], self.casts[till.name]["Ugo"]
                page = till.return_by(self._mail(alice), self._checkout(till, "Alice"))
                _expect(page.status, "Alice's payment")
                _expect(browser.unsubscribe_one_click(self._mail(ugo)), "Ugo's unsubscription")
        finally:
            browser.close()
        self.say("Alice returns by the link in her mail and pays; Ugo unsubscribes with one click.")
        self._at(minutes=120)
        for till in self.tills:
            self._leave(till, "Ugo")

    def _leave(self, till: Till, name: str, *, email: bool = True) -> None:
        person = self.casts[till.name][name]
        person.checkouts.append(till.leave(person, email=email))
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


def _expect(status: int, what: str) -> None:
    if not 200 <= status < 300:
        raise ConnectorError(f"{what} was answered with {status}")
