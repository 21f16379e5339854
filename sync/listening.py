"""
Whether shops still tell us what happens in them.

Every ten minutes what changed in a shop, as its API says, is compared with what we keep, and with what was delivered. Subscriptions that
were taken away or switched off are made anew. Those of an app's configuration cannot be listed, so silence is the test: a topic that
kept silent raises an alarm and is subscribed for this shop alone until it is heard otherwise. Deliveries that then come twice change
nothing the second time. What comparing does stands in `reconcile`, the reports in `gaps`, deletions in `walking`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from connector.canonical import Resource
from connector.errors import NotFound
from connector.platforms import Access, Platform, PlatformError, Reads, Subscriptions, ThrottledError
from connector.store import installs, notices, shops, strangers, sync_marks, topic_health, wanted
from connector.store.audit import SYSTEM, Actor
from connector.store.db import Wake, app_now, wake_after_commit
from connector.store.notices import Cause
from connector.store.topic_health import Finding
from sync import gaps, reconcile, walking
from sync.access import call_shop, registering
from sync.jobs import Job
from sync.reconcile import Turn
from sync.services import Services

EVERY = timedelta(minutes=10)
GRACE = timedelta(minutes=10)
"""So long a delivery may take before anybody misses it."""
SKEW = timedelta(minutes=2)
"""A delivery may seem to be triggered before its record changed: two clocks of the platform's."""
SHOPS_PER_RING = 500
LONG_AGO = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Look:
    """
    What is to be compared: a shop's changes between two instants, of which the first is where kinds begin that have no mark yet.

    `is_first`: after an install there is nothing to compare. `is_check_due`: the shop's subscriptions are to be looked at besides.
    """

    platform: Platform
    reads: Reads
    since: datetime
    until: datetime
    installed_at: datetime
    is_first: bool
    is_check_due: bool


def ring(services: Services) -> int:
    """Ring for shops whose changes are to be compared with their deliveries again; returns how many."""
    names = [name for name, platform in services.platforms.items() if platform.reads is not None]
    with services.db.system_transaction("shops to listen to") as session:
        due = topic_health.due_shops(session, names, app_now(session) - EVERY - GRACE, SHOPS_PER_RING)
        for shop_id in due:
            wake_after_commit(session, Job.LISTEN.value, shop_id)
    return len(due)


def listen(services: Services, shop_id: int) -> None:
    """
    See to a shop's subscriptions, and compare what changed in it with what we keep and with what was delivered.

    A turn goes on for so long; what is left is compared in the next. A platform that asks us to wait is asked again when that is over;
    whatever else fails leaves the same changes for the next time.
    """
    wake = Wake(Job.LISTEN.value, shop_id)
    look = None if services.pauses.is_paused(wake) else _look(services, shop_id)
    if look is None:
        return
    try:
        is_over = _look_first(services, shop_id, look) if look.is_first else _look_again(services, shop_id, look)
    except ThrottledError as error:
        log.info("listening.throttled", shop_id=shop_id, call=error.call, seconds=error.retry_after)
        services.pauses.pause(wake, error.retry_after)
        return
    except (NotFound, PlatformError) as error:
        log.info("listening.later", shop_id=shop_id, error=type(error).__name__)
        return
    with services.db.transaction(shop=shop_id) as session:
        if is_over:
            topic_health.note_listened(session, shop_id, look.until)
        else:
            wake_after_commit(session, Job.LISTEN.value, shop_id)


def _look_first(services: Services, shop_id: int, look: Look) -> bool:
    """Right after an install: have the subscriptions in order, and nothing else that an earlier install left behind."""
    subscribe_shop(services, shop_id)
    with services.db.transaction(shop=shop_id) as session:
        sync_marks.begin_anew(session, shop_id, look.installed_at)
    return True


def _look_again(services: Services, shop_id: int, look: Look) -> bool:
    """
    Have the subscriptions in order, compare, and report a gap if there was one; false if comparing goes on in another turn.

    Subscriptions that can be listed come first. Others are made where a topic kept silent, so what changed is compared before.
    """
    is_listed = look.platform.can.registers_webhooks
    made_anew = frozenset(subscribe_shop(services, shop_id).created) if is_listed else frozenset()
    with services.db.transaction(shop=shop_id) as session:
        marks = sync_marks.load_marks(session, shop_id)
    turn = Turn(services, shop_id, look.platform, look.reads, look.since, look.until, look.installed_at, marks)
    silent: frozenset[str] = frozenset()
    try:
        try:
            reconcile.compare_all(turn)
        finally:
            # Whatever failed in the end: what was compared before is not compared again.
            silent = frozenset().union(*_compare(services, shop_id, look, turn))
        if not is_listed:
            _stand_in(services, shop_id, look, is_silent=bool(silent))
        if made_anew:
            walking.begin_undated(turn)
        if (made_anew or silent) and turn.is_over:
            reconcile.catch_up(turn, made_anew | silent)
        if turn.is_over:
            walking.walk(turn)
    finally:
        gaps.report(turn, made_anew, silent)
    return turn.is_over


def _stand_in(services: Services, shop_id: int, look: Look, *, is_silent: bool) -> None:
    """Have silent topics subscribed for the shop alone, and no others."""
    with services.db.transaction(shop=shop_id) as session:
        is_due = is_silent or look.is_check_due or topic_health.has_stale_fallbacks(session, shop_id)
    if is_due:
        subscribe_shop(services, shop_id)


def subscribe_shop(services: Services, shop_id: int, actor: Actor = SYSTEM) -> Subscriptions:
    """
    Have exactly the silent topics of a shop subscribed for it alone, and what came of it written down where it is news.

    Idempotent. Raises: NotFound if the shop is not connected, PlatformError.
    """
    with services.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        silent = topic_health.silent_topics(session, shop_id)
        sealed = shop.webhook_secret
    platform = services.platforms[shop.platform]
    address = webhook_address(services, shop.platform, shop.shop_key)
    secret = "" if sealed is None else services.vault.open(sealed)["secret"]

    def subscribe(access: Access) -> Subscriptions:
        return platform.subscribe(access, address, secret, silent)

    with registering(services, platform.name, shop_id):
        made = call_shop(services, shop_id, subscribe)
    with services.db.transaction(shop=shop_id) as session:
        if not platform.can.registers_webhooks:
            topic_health.note_fallbacks(session, shop_id, {*made.present, *made.created} & set(silent))
        elif made.created and shop.listened_at is not None:
            notices.tell(session, services.vault, shop, Cause.GAP_FOUND, gaps.notice_key(shop.public_id), ", ".join(made.created))
        elif not made.refused:
            notices.settle(session, shop.account_id, Cause.GAP_FOUND, gaps.notice_key(shop.public_id))
        words, last = _words(made, is_mended=platform.can.registers_webhooks), installs.last_webhook_check(session, shop_id)
        if made.created or made.removed or (last is not None and last.is_ready == bool(made.refused)) or (last is None and made.refused):
            installs.note_webhooks(session, shop, actor=actor, is_ready=not made.refused, words=words[:500])
    if made.created or made.removed or made.refused:
        refused = [topic for topic, _ in made.refused]
        log.info("shop.subscribed", shop_id=shop_id, created=list(made.created), removed=list(made.removed), refused=refused)
    return made


def webhook_address(services: Services, platform: str, shop_key: str) -> str:
    """Where a platform, or one shop of it, sends its webhooks."""
    base = f"{services.settings.public_url.rstrip('/')}/webhooks/{platform}"
    return f"{base}/{shop_key}" if services.platforms[platform].can.shop_in_path else base


def _look(services: Services, shop_id: int) -> Look | None:
    """What is to be compared now; None if that shop is not listened to, or was a moment ago."""
    with services.db.transaction(shop=shop_id) as session:
        shop, now = shops.get_shop(session, shop_id), app_now(session)
        if shop.stranger_at is not None:
            # However often the store did not say who it is: what is paused must not stay so once it does.
            strangers.tell_if_stuck(session, services.vault, shop)
            wanted.want(session, shop_id, [(Resource.SHOP, str(shop_id))])
            wake_after_commit(session, Job.REREAD.value, shop_id)
    platform = services.platforms[shop.platform]
    if shop.state != "connected" or platform.reads is None:
        return None
    if shop.listened_at is None:
        # There is nothing to compare yet, but what an earlier install left behind.
        at = shop.installed_at
        return Look(platform, platform.reads, at, at, at, is_first=True, is_check_due=True)
    since, until = shop.listened_at, now - GRACE
    if until - since < EVERY / 2 or _waits(services, shop_id, until):
        return None
    # Each shop's day begins at another minute, so that not all are asked at midnight.
    offset = timedelta(minutes=shop_id % (24 * 60))
    is_daily = (since + offset).date() != (until + offset).date()
    return Look(platform, platform.reads, since, until, shop.installed_at, is_first=False, is_check_due=is_daily)


def _waits(services: Services, shop_id: int, until: datetime) -> bool:
    """Whether deliveries are to be applied first: what they tell would seem not to have been told."""
    with services.db.transaction(shop=shop_id) as session:
        waits = topic_health.has_waiting(session, shop_id, until)
        if waits:
            log.info("listening.inbox_first", shop_id=shop_id)
            wake_after_commit(session, Job.APPLY.value, shop_id)
    return waits


def _compare(services: Services, shop_id: int, look: Look, turn: Turn) -> list[frozenset[str]]:
    """Write down which topics were heard and which were not; returns those of which none was heard that should have been."""
    # Nobody can have told of a change before it was there.
    first = min(turn.newest.values(), default=look.since)
    with services.db.transaction(shop=shop_id) as session:
        heard = topic_health.last_heard(session, shop_id, first - SKEW)
        unheard = [topics for topics, at in turn.newest.items() if not any(heard.get(topic, LONG_AGO) >= at - SKEW for topic in topics)]
        newly = topic_health.note_findings(session, shop_id, _findings(turn, heard, unheard))
        spoken = topic_health.note_spoken(session, shop_id, look.since, look.platform.can.fallback_mark)
    for topic in newly:
        services.metrics.silent_topics.add(look.platform.name, topic)
        log.error("topic.silent", shop_id=shop_id, platform=look.platform.name, topic=topic)
    for topic in spoken:
        log.info("topic.heard_again", shop_id=shop_id, platform=look.platform.name, topic=topic)
    return unheard


def _findings(turn: Turn, heard: Mapping[str, datetime], unheard: Sequence[frozenset[str]]) -> list[Finding]:
    silent = frozenset().union(*unheard)
    topics = frozenset().union(*turn.newest)
    return [
        Finding(topic, max(at for among, at in turn.newest.items() if topic in among), heard.get(topic), topic in silent)
        for topic in topics
    ]


def _words(made: Subscriptions, *, is_mended: bool) -> str:
    """What became of the subscriptions, for merchants and staff."""
    parts = [words for _, words in made.refused]
    if made.created:
        why = "Missing or switched off in the store, and made anew" if is_mended else "Not heard, and subscribed for this shop alone"
        parts.append(f"{why}: {', '.join(made.created)}")
    if made.removed:
        parts.append(f"No longer needed for this shop alone: {', '.join(made.removed)}")
    return ". ".join(parts) or "All is in order"
