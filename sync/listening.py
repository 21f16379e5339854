"""
Whether shops still tell us what happens in them.

Subscriptions of an app's configuration cannot be listed, so silence is the test: every ten minutes what changed in a shop, as its API
says, is compared with what was delivered. A topic that kept silent raises an alarm, is subscribed for this shop alone until it is
heard otherwise, and what it should have told is read. Deliveries that then come twice change nothing the second time.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from connector.canonical import Resource
from connector.errors import NotFound
from connector.platforms import Access, NotPermitted, Platform, PlatformError, Reads, Rejected, Subscriptions, ThrottledError
from connector.reading import Change, Page
from connector.store import installs, notices, shops, strangers, topic_health, wanted
from connector.store.audit import SYSTEM, Actor
from connector.store.behind import behind
from connector.store.db import Wake, app_now, wake_after_commit
from connector.store.notices import Cause
from connector.store.topic_health import Finding
from sync.access import call_shop, registering
from sync.jobs import Job
from sync.services import Services

EVERY = timedelta(minutes=10)
GRACE = timedelta(minutes=10)
"""So long a delivery may take before anybody misses it."""
SKEW = timedelta(minutes=2)
"""A delivery may seem to be triggered before its record changed: two clocks of the platform's."""
LONGEST = timedelta(days=1)
"""Nobody goes further back, however long a shop could not be asked."""
SHOPS_PER_RING = 500
FULL_PAGES, MOST_PAGES = 2, 20
"""Of each kind of record so many pages that hold something are looked at, of so many in all: a sample is enough."""
SECONDS = 60.0
KINDS = (Resource.CHECKOUT, Resource.ORDER, Resource.CUSTOMER, Resource.PRODUCT, Resource.DISCOUNT_CODE)
LONG_AGO = datetime.min.replace(tzinfo=UTC)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be compared: a shop's changes between two instants. `is_check_due`: its subscriptions are to be looked at besides."""

    platform: Platform
    reads: Reads
    since: datetime
    until: datetime
    is_check_due: bool


@dataclass(slots=True)
class Told:
    """What changed, by the topics of which one must have told it: the newest change, and the records; all records with their versions."""

    newest: dict[frozenset[str], datetime] = field(default_factory=dict)
    records: dict[frozenset[str], list[tuple[Resource, str]]] = field(default_factory=dict)
    versions: list[tuple[Resource, str, datetime]] = field(default_factory=list)

    def add(self, kind: Resource, change: Change, topics: frozenset[str]) -> None:
        """One record that changed."""
        self.newest[topics] = max(change.source_version, self.newest.get(topics, change.source_version))
        self.records.setdefault(topics, []).append((kind, change.platform_id))
        self.versions.append((kind, change.platform_id, change.source_version))


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
    Compare what changed in a shop with what was delivered, and see to its subscriptions.

    A platform that asks us to wait is asked again when that is over; whatever else fails leaves the same changes for the next time.
    """
    wake = Wake(Job.LISTEN.value, shop_id)
    look = None if services.pauses.is_paused(wake) else _look(services, shop_id)
    if look is None:
        return
    try:
        if look.platform.can.registers_webhooks:
            # Its webhooks are listed: those that were taken away or switched off tell nothing, and are made anew first.
            _mend(services, shop_id, look)
        else:
            is_silent = look.until > look.since and _find_silence(services, shop_id, look)
            with services.db.transaction(shop=shop_id) as session:
                is_due = is_silent or look.is_check_due or topic_health.has_stale_fallbacks(session, shop_id)
            if is_due:
                subscribe_shop(services, shop_id)
    except ThrottledError as error:
        log.info("listening.throttled", shop_id=shop_id, call=error.call, seconds=error.retry_after)
        services.pauses.pause(wake, error.retry_after)
        return
    except (NotFound, PlatformError) as error:
        log.info("listening.later", shop_id=shop_id, error=type(error).__name__)
        return
    with services.db.transaction(shop=shop_id) as session:
        topic_health.note_listened(session, shop_id, look.until)


def _find_silence(services: Services, shop_id: int, look: Look) -> bool:
    """Whether a topic kept silent; what it should have told is read."""
    told = _read_changes(services, shop_id, look)
    unheard = _compare(services, shop_id, look, told)
    _have_read(services, shop_id, unheard, told)
    return bool(unheard)


def _mend(services: Services, shop_id: int, look: Look) -> None:
    """
    Have a shop's webhooks in order, and read what we know less of than the store: if some were off, up to now.

    Such a store sends everything once: a delivery that got lost alone shows only in what we keep.
    """
    was_off = bool(subscribe_shop(services, shop_id).created)
    if look.until <= look.since:
        return
    told = _read_changes(services, shop_id, look)
    _compare(services, shop_id, look, told)
    versions = told.versions
    if was_off:
        with services.db.transaction(shop=shop_id) as session:
            now = app_now(session)
        versions = versions + _read_changes(services, shop_id, replace(look, since=look.until, until=now)).versions
    with services.db.transaction(shop=shop_id) as session:
        lost = behind(session, shop_id, versions)
        if wanted.want(session, shop_id, lost):
            log.info("listening.behind", shop_id=shop_id, records=len(lost))
            wake_after_commit(session, Job.REREAD.value, shop_id)


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
            notices.tell(session, services.vault, shop, Cause.GAP_FOUND, f"{shop.public_id} webhooks", ", ".join(made.created))
        elif not made.refused:
            notices.settle(session, shop.account_id, Cause.GAP_FOUND, f"{shop.public_id} webhooks")
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
        # Just installed: there is nothing to compare yet, but what an earlier install left behind.
        return Look(platform, platform.reads, shop.installed_at, shop.installed_at, is_check_due=True)
    since = max(shop.listened_at, now - LONGEST)
    until = now - GRACE
    if until - since < EVERY / 2:
        return None
    # Each shop's day begins at another minute, so that not all are asked at midnight.
    offset = timedelta(minutes=shop_id % (24 * 60))
    is_daily = (since + offset).date() != (until + offset).date()
    return Look(platform, platform.reads, since, until, is_daily)


def _read_changes(services: Services, shop_id: int, look: Look) -> Told:
    """What changed and must have been told. What we may not read, nobody can compare."""
    told, end = Told(), time.monotonic() + SECONDS
    for kind in KINDS:
        try:
            for change in _changes(services, shop_id, look, kind, end):
                if topics := look.reads.told_by(change, look.since) & look.platform.topics:
                    told.add(kind, change, topics)
        except (NotPermitted, Rejected) as error:
            log.info("listening.not_compared", shop_id=shop_id, kind=kind.value, call=error.call)
    return told


def _changes(services: Services, shop_id: int, look: Look, kind: Resource, end: float) -> Iterator[Change]:
    cursor: str | None = None
    full = 0
    withheld: set[str] = set()
    gone: set[tuple[Resource, str]] = set()
    for _ in range(MOST_PAGES):
        page = call_shop(services, shop_id, partial(_page, look, kind, cursor))
        yield from page.records
        full += bool(page.records)
        withheld.update(page.withheld)
        gone.update((one.resource, one.platform_id) for one in page.gone if one.platform_id is not None)
        cursor = page.cursor
        if cursor is None or full >= FULL_PAGES or time.monotonic() > end:
            break
    if full or withheld:
        with services.db.transaction(shop=shop_id) as session:
            shops.note_withheld(session, shop_id, withheld, kind)
    if gone:
        # Who was told nothing of it would go on as if it were there; to ask twice does no harm.
        with services.db.transaction(shop=shop_id) as session:
            wanted.want(session, shop_id, gone)
            wake_after_commit(session, Job.REREAD.value, shop_id)


def _page(look: Look, kind: Resource, cursor: str | None, access: Access) -> Page:
    return look.reads.changes(access, kind, look.since, look.until, cursor)


def _compare(services: Services, shop_id: int, look: Look, told: Told) -> list[frozenset[str]]:
    """Write down which topics were heard and which were not; returns those of which none was heard that should have been."""
    with services.db.transaction(shop=shop_id) as session:
        heard = topic_health.last_heard(session, shop_id, look.since - SKEW)
        unheard = [topics for topics, at in told.newest.items() if not any(heard.get(topic, LONG_AGO) >= at - SKEW for topic in topics)]
        newly = topic_health.note_findings(session, shop_id, _findings(told, heard, unheard))
        spoken = topic_health.note_spoken(session, shop_id, look.since, look.platform.can.fallback_mark)
    for topic in newly:
        services.metrics.silent_topics.add(look.platform.name, topic)
        log.error("topic.silent", shop_id=shop_id, platform=look.platform.name, topic=topic)
    for topic in spoken:
        log.info("topic.heard_again", shop_id=shop_id, platform=look.platform.name, topic=topic)
    return unheard


def _have_read(services: Services, shop_id: int, unheard: Sequence[frozenset[str]], told: Told) -> None:
    """Have the records behind these topics read; not checkouts, which are listed under other ids than they are told by."""
    with services.db.transaction(shop=shop_id) as session:
        missed = {record for topics in unheard for record in told.records[topics] if record[0] is not Resource.CHECKOUT}
        if wanted.want(session, shop_id, missed):
            wake_after_commit(session, Job.REREAD.value, shop_id)


def _findings(told: Told, heard: Mapping[str, datetime], unheard: Sequence[frozenset[str]]) -> list[Finding]:
    silent = frozenset().union(*unheard)
    topics = frozenset().union(*told.newest)
    return [
        Finding(topic, max(at for among, at in told.newest.items() if topic in among), heard.get(topic), topic in silent)
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
