"""Have a shop's connection examined, and keep what was found."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from connector.canonical import Checkout, Event, Order
from connector.checkups import Check, Verdict
from connector.errors import Refused
from connector.platforms import DeliveryContext, PayloadError, Platform
from connector.store import checkups, shops
from connector.store.checkups import KeptCheckup, News
from connector.store.tables import ShopRow
from connector.web.composition import Composition
from connector.web.language import N_
from connector.web.subscribing import webhook_address

NO_CHECKUP = N_("Stores of this kind have nothing to examine.")
NO_ACCESS = N_("The shop is not connected. Connect it again first.")
LATENESS = "lateness"
LATE_MINUTES, VERY_LATE_MINUTES = 5, 30
WORST_MINUTES = 120

log = structlog.get_logger()


def examine(parts: Composition, shop_id: int) -> KeptCheckup:
    """
    Ask the store and look at its news of late; what is found is kept and returned.

    Takes as long as the store does, a minute at most. Raises Refused for a shop without credentials, and for a
    platform that has nothing to examine.
    """
    with parts.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        news = checkups.recent_news(session, shop_id)
        session.expunge_all()
    platform = parts.services.platforms[shop.platform]
    if platform.checkup is None:
        raise Refused(NO_CHECKUP)
    if shop.credentials is None:
        raise Refused(NO_ACCESS)
    access = shops.open_access(parts.services.vault, shop)
    found = list(platform.checkup.examine(access, webhook_address(parts, shop.platform, shop.shop_key)))
    found.append(lateness(platform, shop, news))
    with parts.db.transaction(shop=shop_id) as session:
        checkups.save_checkup(session, shop_id, found)
        kept = checkups.last_checkup(session, shop_id)
    assert kept is not None
    log.info("shop.examined", shop_id=shop_id, bad=sum(one.verdict is Verdict.BAD for one in found))
    return kept


def lateness(platform: Platform, shop: ShopRow, news: Sequence[News]) -> Check:
    """
    How long after the change its news arrived, by the change's own time: minutes of the middle one and of the latest, and of how many.

    A store's queue that stands still shows here even where nothing else can be asked.
    """
    delays = sorted(delay for one in news if (delay := _delay(platform, shop, one)) is not None)
    if not delays:
        return Check(LATENESS, Verdict.UNKNOWN)
    middle, worst = (_minutes(delays[len(delays) // 2]), _minutes(delays[-1]))
    verdict = Verdict.GOOD
    if middle >= LATE_MINUTES or worst >= WORST_MINUTES:
        verdict = Verdict.BAD if middle >= VERY_LATE_MINUTES else Verdict.ATTENTION
    return Check(LATENESS, verdict, (str(middle), str(worst), str(len(delays))), "" if verdict is Verdict.GOOD else "late")


def _delay(platform: Platform, shop: ShopRow, news: News) -> timedelta | None:
    """By the platform's own time of the delivery, else by that of the record in it; None where neither is told."""
    if news.triggered_at is not None:
        return max(news.received_at - news.triggered_at, timedelta())
    context = DeliveryContext(news.topic, news.received_at, shop.country, None, shop.domain, tuple(shop.hosts))
    try:
        times = [at for event in platform.parse(context, news.body) if (at := _own_time(event)) is not None]
    except PayloadError:
        return None
    return max(news.received_at - max(times), timedelta()) if times else None


def _own_time(event: Event) -> datetime | None:
    """Drafts of the checkout page are left out: some stores do not move their time when they change."""
    if isinstance(event, Order) or (isinstance(event, Checkout) and event.cart_token is not None):
        return event.source_version
    return None


def _minutes(delay: timedelta) -> int:
    return round(delay.total_seconds() / 60)
