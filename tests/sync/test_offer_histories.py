"""
Whatever happens to a shop with offers, and however we learn of it: nobody holds two, nothing comes of a suspended offer, numbers are right.

Purchases under several names, edits, codes that change or go, ends that come, orders taken back and restored, deliveries late, repeated
and in any order, work that dies in the middle: after every look at it all that `offer_checks` says must hold.
"""

import itertools
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from connector.canonical import PaymentState
from connector.codes import CodeStatus, Restriction
from connector.store.sealed import Vault
from sync import offers as tending
from sync.services import Services
from tests.conftest import install
from tests.statements import before_statements
from tests.sync.code_desk import code_desk
from tests.sync.offer_checks import CODES, HOLDING, Watcher
from tests.sync.offer_story import BUYERS, Sale, Story

MOST_OFFERS = 3
EXAMPLES, LENGTH = 2, 60
FATES = ("pay", "pay", "pay", "pay", "refund", "refund a part", "cancel", "unpay", "void", "remove", "dispute", "win", "win")
DEALS = ("text", "code", "code", "publish", "publish", "deactivate", "delete")
EDITS = ("plain", "plain", "plain", "ends soon", "ended", "limit", "use", "restrict", "off", "drop")
SPANS = ({"seconds": 1}, {"minutes": 20}, {"hours": 13}, {"days": 1}, {"days": 4}, {"days": 31})
_numbers = itertools.count()


def choose(chance: random.Random) -> tuple[Any, ...]:
    """One thing that happens: the name of a method of History, and what it is called with."""
    number = chance.randrange(100)
    acts: list[tuple[int, tuple[Any, ...]]] = [
        (14, ("buy", chance.randrange(len(BUYERS)), number, carried(chance), chance.random() < 0.7, chance.random() < 0.1)),
        (8, ("buy_with_everything_known", chance.randrange(len(BUYERS) - 1), number, chance.random() < 0.5)),
        (12, ("deliver", number, chance.randrange(1000))),
        (14, ("change", number, chance.choice(FATES))),
        (9, ("change_code", chance.choice(CODES), chance.choice(EDITS))),
        (5, ("read_codes",)),
        (3, ("set_storefront", chance.random() < 0.7)),
        (5, ("wait", chance.choice(SPANS))),
        (4, ("publish", chance.choice(CODES))),
        (4, ("publish_own", chance.choice([None, *CODES]), chance.choice([1, 2, 30]))),
        (6, ("change_offer", number, chance.choice(DEALS), chance.choice(CODES))),
        (12, ("tend",)),
        (4, ("tend_and_die", 1 + number)),
        (6, ("work",)),
        (2, ("fail", chance.random() < 0.5)),
        (2, ("recover",)),
        (1, ("delete_series",)),
    ]
    return chance.choices([chosen for _, chosen in acts], [weight for weight, _ in acts])[0]


def carried(chance: random.Random) -> list[str]:
    """The codes that an order comes with; `theirs` is the one that its buyer was given."""
    return chance.sample([*CODES, "merci10", "theirs"], chance.randrange(3)) if chance.random() < 0.3 else ["theirs"] * chance.randrange(2)


class Killed(Exception):
    """A process dies."""


class History:
    """One shop; each method is one thing that happens."""

    def __init__(self, services: Services, vault: Vault, platform: str) -> None:
        shop = install(services.db, vault, platform, f"story{next(_numbers)}.example", "Histoire")
        self.story = Story(code_desk(services, shop))
        self.watcher = Watcher(self.story)
        for code in CODES:
            self.story.put_code(code)
        self.story.read_codes()
        self.story.publish(CODES[0])
        self.watcher.check()

    # The store sells.

    def buy(self, buyer: int, name: int, codes: list[str], is_paid: bool, is_test: bool) -> None:
        """Somebody buys, perhaps with the code that they were given; the money may come later."""
        theirs = self.watcher.given_to(BUYERS[buyer])
        named = [theirs or CODES[0] if code == "theirs" else code for code in codes]
        changes: dict[str, Any] = {} if is_paid else {"payment_state": PaymentState.PENDING, "paid_at": None}
        self.story.buy(BUYERS[buyer], name, named, is_test=is_test, **changes)

    def change(self, number: int, what: str) -> None:
        """Something becomes of an order, mostly of one that earned something."""
        names = self.watcher.earning() if number % 4 else list(self.story.sales)
        if not names:
            return
        sale: Sale = self.story.sales[names[-1 - number % min(len(names), 3)]]
        match what:
            case "pay":
                self.story.pay(sale)
            case "refund" | "refund a part":
                self.story.refund(sale, part=what != "refund")
            case "cancel":
                self.story.change(sale, cancelled_at=self.story.now())
            case "unpay":
                self.story.change(sale, payment_state=PaymentState.PENDING)
            case "void":
                self.story.change(sale, payment_state=PaymentState.VOIDED)
            case "remove":
                self.story.remove(sale)
            case _:
                self.story.dispute(sale, is_open=what == "dispute")

    def change_code(self, code: str, what: str) -> None:
        """The merchant changes a code in the store's own admin, or somebody uses it."""
        story, key = self.story, code.lower()
        match what:
            case "drop":
                story.book.pop(key, None)
            case "use":
                story.put_code(code, used=story.book[key].used + 1 if key in story.book else 0)
            case "limit":
                story.put_code(code, usage_limit=2)
            case "restrict":
                story.put_code(code, restrictions=(Restriction.PRODUCTS,))
            case "off":
                story.put_code(code, status=CodeStatus.EXPIRED)
            case "ends soon" | "ended":
                story.put_code(code, ends_at=story.now() + timedelta(hours=30 if what == "ends soon" else -1))
            case _:
                story.put_code(code, status=CodeStatus.ACTIVE, ends_at=None, usage_limit=None, restrictions=())

    # We are told.

    def deliver(self, number: int, order: int) -> None:
        """Some of what waits comes, in any order, and some that came before once more."""
        chance = random.Random(order)
        coming = [event for event in self.story.waiting if chance.random() < 0.8]
        coming += [event for event in self.story.delivered if chance.random() < 0.1]
        chance.shuffle(coming)
        cut = number % (len(coming) + 1)
        self.story.deliver(coming[:cut])
        self.story.deliver(coming[cut:])

    def read_codes(self) -> None:
        """The watch reads the codes."""
        self.story.read_codes()
        self.watcher.check_links()

    def set_storefront(self, is_open: bool) -> None:
        """The store goes behind a password, or opens."""
        self.story.set_storefront(is_open=is_open)
        self.watcher.check_links()

    def wait(self, span: dict[str, float]) -> None:
        """Time goes by, and nobody looks."""
        self.story.desk.later(**span)
        self.watcher.check_links()

    # The merchant has offers.

    def publish(self, code: str) -> None:
        """One more offer."""
        if len(self.watcher.alive()) < MOST_OFFERS:
            self.story.publish(code)
            self.tend()

    def publish_own(self, fallback: str | None, days: int) -> None:
        """One more offer, with a code for each."""
        if len(self.watcher.alive()) < MOST_OFFERS:
            self.story.publish_own(fallback, days)
            self.tend()

    def change_offer(self, number: int, what: str, code: str) -> None:
        """The merchant edits an offer, or does something with it."""
        alive = self.watcher.alive()
        if not alive:
            return
        offer = alive[number % len(alive)]
        match what:
            case "text":
                self.story.change_offer(offer, headline=f"Thanks {number}")
            case "code" if self.watcher.is_shared(offer):
                self.story.change_offer(offer, code=code)
            case "code":
                self.story.change_offer(offer, value=Decimal(number + 1))
            case _:
                self.story.act(offer, what)
        self.watcher.check_links()

    # Codes are made.

    def work(self) -> None:
        """The worker has the store do what is wanted of it."""
        self.story.desk.work()
        self.watcher.check()

    def fail(self, is_down: bool) -> None:
        """The store fails from now on."""
        self.story.fail(is_down=is_down)

    def recover(self) -> None:
        """The store is there again, and catches up once what rested because of that has rested long enough."""
        self.story.mend()
        for _ in range(3):
            self.story.desk.later(minutes=6)
            self.work()
        self.watcher.check_codes()

    def delete_series(self) -> None:
        """The merchant deletes what we made."""
        self.story.delete_series()

    # We look.

    def tend(self) -> None:
        """The worker looks, and again: the second time there is nothing to do."""
        self.story.desk.tend()
        before = self.watcher.digest()
        tending.tend(self.story.desk.services, self.story.desk.shop_id)
        assert self.watcher.digest() == before
        self.watcher.check()

    def tend_and_die(self, statements: int) -> None:
        """The worker dies in the middle: nothing happened."""
        before, said = self.watcher.digest(), itertools.count(1)

        def die(statement: str) -> None:
            if next(said) == statements:
                raise Killed

        is_done = False
        with suppress(Killed), before_statements(die):
            tending.tend(self.story.desk.services, self.story.desk.shop_id)
            is_done = True
        assert is_done or self.watcher.digest() == before
        if is_done:
            self.tend()

    def buy_with_everything_known(self, buyer: int, name: int, uses_it: bool) -> None:
        """Once all is told, a purchase earns an offer, unless none is given or its buyer holds one and did not use it just now."""
        self.settle()
        held = self.watcher.held_by(BUYERS[buyer])
        uses_it = uses_it and held is not None and held["code"] is not None
        sale = self.story.buy(BUYERS[buyer], name, [held["code"]] if held and uses_it else [])
        self.story.deliver_all()
        self.tend()
        if not self.watcher.active():
            assert self.watcher.decision(sale) in (None, "offer_suspended", "holds_unused_offer")
        else:
            assert self.watcher.decision(sale) == ("holds_unused_offer" if held and not uses_it else "granted")

    def settle(self) -> None:
        """Everything is told, read, looked at and made."""
        self.story.deliver_all()
        self.story.read_codes()
        self.tend()
        self.recover()


def tell(services: Services, vault: Vault, platform: str, seed: int, say: Callable[[str], None], length: int = LENGTH) -> History:
    """Tell one history, which the seed decides, to a shop of its own; what must hold is checked all the time. Returns it as it ended."""
    chance, history = random.Random(seed), History(services, vault, platform)
    for _ in range(length):
        name, *arguments = choose(chance)
        say(f"{name} {arguments}")
        getattr(history, name)(*arguments)
    history.settle()
    return history


@pytest.mark.spec("SH-24", "SH-25", "SH-34")
@pytest.mark.parametrize("platform", ["shopify", "woocommerce"])
@settings(max_examples=EXAMPLES, phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_no_history_gives_a_person_two_offers_or_anything_of_a_suspended_one(
    services: Services, vault: Vault, platform: str, seed: int
) -> None:
    watcher = tell(services, vault, platform, seed, note).watcher
    holders = [watcher.story.sales[grant["sale"]].buyer.name for grant in watcher.grants.values() if grant["state"] in HOLDING]
    assert len(holders) == len(set(holders)), "nobody holds two"
    assert watcher.rows("select id from offers where shop_id = :shop")
