"""
RL-142: offers end while no scheduler runs and no store answers. Our links show nothing at once, and the stores follow within a minute.

Both stores' clocks are slow, so that each would go on honouring what has ended: only what we tell them ends it there.
"""

import http.client
import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from connector.cli.demo.patience import act_until_it_works
from connector.cli.demo.story import Story
from connector.codes import CodeKind
from connector.config import Settings
from connector.rules.offers import CodeMode
from connector.store import grants, offer_codes, offers, shops
from connector.store.audit import Actor
from connector.store.db import Session, app_now
from connector.store.offers import Terms
from connector.store.tables import OrderRow, ShopRow
from connector.store.work import hold_inbox
from connector.web.composition import compose
from integrations.sandbox.faults import Kind
from integrations.sandbox.woocommerce_coupon_use import Cart, refusal
from sync import apply
from sync.services import Services
from tests.chaos.case import Case
from tests.chaos.production import Production, production_form
from tests.chaos.report import Row, too_late
from tests.chaos.size import Size
from tests.factories import make_order

OFFERS = 500
UNIQUE_EVERY = 5
"""One in so many offers gives a code for each; the others one for all."""
LASTS = timedelta(days=4)
"""Longer than the time before an end in which owners are told that it comes near."""
BEHIND = timedelta(days=2)
MAKING_SECONDS = 420.0
DOWN_SECONDS = 25.0
"""So long a scheduler works again while the stores still answer nothing: pauses between tries are as long as they get."""
MOST_SECONDS = 60.0
READERS = 4
AT_ONCE = 50
"""Offers in one transaction: workers look at all offers of a shop whenever one is published."""
FAULTS = (Kind.ERROR, Kind.HTML, Kind.DROP)
DOORS = ("", ".json", "/use")
MERCHANT = Actor("member of the case")


@dataclass
class Given:
    """What somebody was given of one offer: the shop, the kind of its store, and where they read it."""

    shop_id: int
    platform: str
    grant_id: int
    token: str
    code: str = ""


@dataclass
class Found:
    """What was seen."""

    violations: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)


def run(size: Size, seed: int, directory: Path) -> list[Row]:
    """Make the offers, let them end with nobody there to see it, and bring scheduler and stores back."""
    found, rng = Found(), random.Random(seed)
    with production_form(directory, seed, web=1, worker=2, scheduler=1, mail_to_sandbox=False) as made:
        stores = (made.world.sandbox.shopify.faults, made.world.sandbox.woocommerce.faults)
        given = _set_up(made, size.count(OFFERS), rng)
        try:
            if _await_codes(made, given, found, size.seconds(MAKING_SECONDS, least=150.0)):
                _end(made, given, found, seed)
                _recover(made, given, found)
        finally:
            for store in stores:
                store.stop()
        refused = sum(sum(store.counts.values()) for store in stores)
    found.figures["calls that failed"] = str(refused)
    title = "offers end while scheduler and stores are down"
    return [Row("RL-142", title, len(given), refused, found.violations, seed, found.figures)]


def _set_up(made: Production, count: int, rng: random.Random) -> list[Given]:
    """Both stores connected, with so many offers among them, each given to somebody."""
    story = Story(made.world, say=lambda text: None)
    act_until_it_works("the Shopify install", story.install_shopify, story.merchant)
    act_until_it_works("the WooCommerce install", story.install_woocommerce, story.merchant)
    story.merchant.close()
    made.world.settle()
    given: list[Given] = []
    settings = {name.lower(): value for name, value in {**made.stack.shared, "DATABASE_URL": made.stack.postgres.url}.items()}
    maps = {name: json.loads(settings[name]) for name in ("address_map", "browser_map")}
    with compose(Settings.model_validate(settings | maps)) as ours:
        _give_all(made, ours.services, given, count, rng)
    return given


def _give_all(made: Production, services: Services, given: list[Given], count: int, rng: random.Random) -> None:
    with made.stack.connect() as connection:
        shop_ids = [int(row[0]) for row in connection.execute("select id from shops order by id")]
    for place, shop_id in enumerate(shop_ids):
        numbers = range(place, count, len(shop_ids))
        with services.db.transaction(shop=shop_id) as session:
            held = hold_inbox(session, shop_id)
            assert held is not None
            batch, now = apply.Batch(), app_now(session)
            batch.tell([make_order(now, platform_id=f"rl-{n}", email=f"p{n}@example.com", paid_at=now) for n in numbers])
            apply.save(session, services, held, batch)
        for first in range(0, len(numbers), AT_ONCE):
            with services.db.transaction(shop=shop_id) as session:
                shop = shops.get_shop(session, shop_id)
                part = numbers[first : first + AT_ONCE]
                given += [_give(session, shop, number, is_unique=rng.randrange(UNIQUE_EVERY) == 0) for number in part]


def _give(session: Session, shop: ShopRow, number: int, *, is_unique: bool) -> Given:
    """One offer, published, and given for one order."""
    assert shop.id is not None
    ends_at = app_now(session).replace(microsecond=0) + LASTS
    own: dict[str, Any] = {"mode": CodeMode.UNIQUE} if is_unique else {"code": f"ENDS-{number}", "is_ours": True}
    terms = Terms(headline="Merci", kind=CodeKind.PERCENTAGE, value=Decimal(10), ends_at=ends_at, **own)
    offer = offers.create_draft(session, shop, f"Offer {number}", terms, MERCHANT)
    offers.publish(session, shop, offer, MERCHANT, can_send_mail=True)
    seen = offers.get_offer(session, shop, offer.public_id, can_send_mail=True, lock=True)
    statement = select(OrderRow).where(col(OrderRow.shop_id) == shop.id, col(OrderRow.platform_id) == f"rl-{number}")
    order, key = session.scalars(statement).one(), f"email:p{number}@example.com"
    if is_unique:
        grant = grants.give(session, order, seen, key, code=None, ends_at=ends_at)
        offer_codes.give(session, shop, seen.version, grant, ends_at, seen.now)
    else:
        offer_codes.want_shared(session, shop.id, seen.version)
        grant = grants.give(session, order, seen, key, code=seen.version.code, ends_at=None)
    assert grant.id is not None
    return Given(shop.id, shop.platform, grant.id, grant.link_token)


def _await_codes(made: Production, given: Sequence[Given], found: Found, most: float) -> bool:
    """Wait until the stores have all codes, and look that each link shows one that its store honours."""
    began = time.monotonic()
    waits = "select count(*) from offer_codes where wanted <> actual"
    preparing = "select count(*) from grants where state = 'preparing'"
    is_made = made.stack.wait_until(lambda: made.stack.one(waits) + made.stack.one(preparing) == 0, most, pause=0.5)
    found.figures["codes made in"] = f"{time.monotonic() - began:.0f} s"
    with made.stack.connect() as connection:
        codes = dict(connection.execute("select id, code from grants").fetchall())
    for one in given:
        one.code = codes[one.grant_id] or ""
    shown, honoured = _shown(made, given), _honoured(made, given)
    if not is_made or shown != len(given) * len(DOORS) or honoured != len(given):
        found.violations.append(f"of {len(given)} offers {shown} doors are open and {honoured} codes are honoured: nothing can be proven")
        return False
    return True


def _end(made: Production, given: Sequence[Given], found: Found, seed: int) -> None:
    """The end comes: no scheduler, no store that answers, and clocks of stores that are slow."""
    made.stack.scheduler[0].terminate()
    sandbox = made.world.sandbox
    for store in (sandbox.shopify.faults, sandbox.woocommerce.faults):
        store.at_random(1.0, FAULTS, seed)
    with sandbox.shopify.shop.lock:
        sandbox.shopify.shop.discounts.behind = BEHIND
    with sandbox.woocommerce.store.lock:
        sandbox.woocommerce.store.coupons.behind = BEHIND
    made.stack.step_clock(LASTS + timedelta(seconds=1))
    made.world.app.is_at_rest()
    still = _shown(made, given)
    found.figures["links usable after the end"] = str(still)
    if still:
        found.violations.append(f"{still} doors of links were open right after the end")
    honoured = _honoured(made, given)
    found.figures["codes that stores went on with"] = str(honoured)
    if honoured != len(given):
        found.violations.append(f"the stores honour {honoured} of {len(given)} codes by themselves: the second lock proves nothing")


def _recover(made: Production, given: Sequence[Given], found: Found) -> None:
    """The scheduler works again, then the stores do."""
    made.stack.scheduler[0].start()
    made.stack.scheduler[0].wait_ready()
    time.sleep(DOWN_SECONDS)
    waiting = made.stack.one("select count(*) from offer_codes where wanted = 'suspended' and actual = 'issued'")
    if waiting < len(given):
        found.violations.append(f"only {waiting} of {len(given)} ends are shown as still to be done")
    for store in (made.world.sandbox.shopify.faults, made.world.sandbox.woocommerce.faults):
        store.stop()
    began = time.monotonic()
    alive = list(given)

    def are_dead() -> bool:
        # The stores are played by this very process: whoever asks them for all again and again holds them up.
        alive[:] = _still_honoured(made, alive)
        return not alive

    made.stack.wait_until(are_dead, 2 * MOST_SECONDS, pause=1.0)
    took = time.monotonic() - began
    is_dead = not _still_honoured(made, given)
    found.figures["slowest end in a store"] = f"{took:.0f} s after recovery"
    if not is_dead:
        found.violations.append(f"{_honoured(made, given)} codes are still honoured {took:.0f} s after recovery")
    elif took > MOST_SECONDS:
        found.violations.append(too_late(f"the last code was honoured until {took:.0f} s after recovery"))
    made.stack.wait_until(lambda: made.stack.one("select count(*) from offer_codes where wanted <> actual") == 0, MOST_SECONDS)
    if left := made.stack.one("select count(*) from offer_codes where wanted <> actual"):
        found.violations.append(f"{left} codes are shown as still to be done though they are")
    if left := made.stack.one("select count(*) from offers where state <> 'suspended' or reason <> 'code_expired'"):
        found.violations.append(f"{left} offers do not say that their code has expired")
    if still := _shown(made, given):
        found.violations.append(f"{still} doors of links were open after recovery")


def _shown(made: Production, given: Sequence[Given]) -> int:
    """How many doors of these links show an offer, name its code, or lead to the store."""

    def look(one: Given) -> int:
        return sum(_is_open(made.stack.ports[0], f"/o/{one.token}{door}", one.code) for door in DOORS)

    with ThreadPoolExecutor(READERS) as readers:
        return sum(readers.map(look, given))


def _is_open(port: int, path: str, code: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": "connector.test"})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status in (200, 302) or bool(code and code.encode() in body + (answer.headers["location"] or "").encode())
    finally:
        connection.close()


def _honoured(made: Production, given: Sequence[Given]) -> int:
    """How many of these codes a shopper could use at their store's checkout now."""
    return len(_still_honoured(made, given))


def _still_honoured(made: Production, given: Sequence[Given]) -> list[Given]:
    """Those of them."""
    sandbox = made.world.sandbox
    made.world.app.is_at_rest()
    with sandbox.shopify.shop.lock:
        book = sandbox.shopify.shop.discounts
        found = [one for one in given if one.platform == "shopify" and book.honours(one.code)]
    with sandbox.woocommerce.store.lock:
        coupons, cart = sandbox.woocommerce.store.coupons, Cart(Decimal(80), "lea@example.com")
        return found + [one for one in given if one.platform == "woocommerce" and not refusal(coupons, one.code, cart)]


CASE = Case("offers", ("RL-142",), run, seconds=90)
