"""
Tokens: what is needed to call a shop, fresh enough to be used.

One at a time acquires or refreshes a shop's tokens, whoever asks: doing both at once retires the other's result. The new pair is
stored before anybody uses it. The lock is an advisory one on the shop's address: claims of messages do not wait for a platform
that answers slowly, and who waits for the lock holds no connection meanwhile.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from connector.errors import NotFound
from connector.platforms import Access, AccessLost, PlatformError, TransientError
from connector.store import shops
from connector.store.db import Session, app_now, wake_after_commit
from connector.store.tables import ShopRow
from connector.store.work import try_lock_access, try_lock_webhooks
from sync.jobs import Job
from sync.services import Services

EARLY = timedelta(minutes=5)
"""So long before their end credentials are replaced."""
LAST = timedelta(seconds=30)
"""So long before their end they are not relied on any more: a call takes its time."""
PATIENCE_SECONDS = 40.0
"""Longer than a platform may take to answer."""
POLL_SECONDS = 0.05
RENEWALS = 2
"""Another worker's newer credentials may be refused as well; what we then get ourselves is the last try."""
QUIET = timedelta(days=7)
WEEKLY_SHOPS = 100

T = TypeVar("T")
log = structlog.get_logger()


def call_shop(services: Services, shop_id: int, call: Callable[[Access], T]) -> T:
    """
    Do something with a shop's living credentials.

    If the platform does not take them, those that another worker stored meanwhile are tried, else refreshed ones, once. Only then
    the shop is marked as needing a new sign-in. `call` may thus run again: a refused call did nothing. Raises: what `open_access`
    does, and what `call` does.
    """
    access = open_access(services, shop_id)
    for _ in range(RENEWALS):
        try:
            return call(access)
        except AccessLost as error:
            access = _after_refusal(services, shop_id, access, error)
    try:
        return call(access)
    except AccessLost as error:
        report_loss(services, shop_id, error, access)
        raise


def open_access(services: Services, shop_id: int) -> Access:
    """
    The shop's address and living credentials.

    While the held ones live, one caller at a time tries to replace them, and a platform that does not answer stops nobody. Raises:
    NotFound if the shop is not connected; AccessLost if somebody must sign in again (the shop is marked), TransientError if the
    platform did not answer, or somebody else has been asking it for too long.
    """
    _, access, now = _read(services, shop_id)
    if access.ends_at is None or access.ends_at - EARLY > now:
        return access
    is_living = access.ends_at - LAST > now
    try:
        return _renew(services, shop_id, access, is_refused=False, patience=0.0 if is_living else PATIENCE_SECONDS)
    except AccessLost as error:
        report_loss(services, shop_id, error, access)
        raise
    except TransientError:
        if is_living:
            return access
        raise


@contextmanager
def acquire(services: Services, platform: str, domain: str) -> Iterator[None]:
    """
    Hold a shop's tokens: nobody else acquires or refreshes them until the block ends. Save what was acquired inside of it.

    Raises TransientError if somebody else does so for too long.
    """
    with _alone(services, platform, lambda session: try_lock_access(session, platform, domain), PATIENCE_SECONDS):
        yield


def report_loss(services: Services, shop_id: int, error: AccessLost, refused: Access | None = None) -> None:
    """
    The platform does not know us any more: mark the shop; webhooks are still kept and applied, nothing is sent.

    Not if other credentials than the refused ones have been stored since.
    """
    with services.db.transaction(shop=shop_id) as session:
        is_lost = shops.mark_access_lost(session, services.vault, shop_id, refused)
    if is_lost:
        log.warning("shop.access_lost", shop_id=shop_id, call=error.call, status=error.status)


def weekly(services: Services) -> int:
    """Ring for shops whose credentials nobody replaced for a week, before they end for good; returns how many."""
    with services.db.system_transaction("credentials that have been held for a week") as session:
        due = shops.quiet_shops(session, app_now(session) - QUIET, WEEKLY_SHOPS)
        for shop_id in due:
            wake_after_commit(session, Job.RENEW.value, shop_id)
    return len(due)


def renew(services: Services, shop_id: int) -> None:
    """Replace a quiet shop's credentials, whatever is left of them; those that do not end are looked at again in a week."""
    try:
        shop, access, now = _read(services, shop_id)
    except NotFound:
        return
    if shop.credentials_at is not None and shop.credentials_at > now - QUIET:
        return
    try:
        renewed = access if access.ends_at is None else _renew(services, shop_id, access, is_refused=True)
    except AccessLost as error:
        report_loss(services, shop_id, error, access)
    except (NotFound, PlatformError) as error:
        log.warning("access.not_renewed", shop_id=shop_id, error=type(error).__name__)
    else:
        if renewed.credentials == access.credentials:
            with services.db.transaction(shop=shop_id) as session:
                shops.note_credentials_held(session, shop_id)


def _after_refusal(services: Services, shop_id: int, access: Access, error: AccessLost) -> Access:
    """Other credentials than the refused ones. Raises AccessLost, the shop marked, if there are none."""
    try:
        renewed = _renew(services, shop_id, access, is_refused=True)
    except AccessLost as failure:
        report_loss(services, shop_id, failure, access)
        raise
    if renewed.credentials == access.credentials:
        report_loss(services, shop_id, error, access)
        raise error
    return renewed


def _renew(services: Services, shop_id: int, held: Access, *, is_refused: bool, patience: float = PATIENCE_SECONDS) -> Access:
    """
    What stands in the place of `held`: what somebody else stored meanwhile, else what the platform gives for it now, stored.

    `held` itself if the platform has nothing else to give. Raises as `open_access`, without marking the shop.
    """
    platform = _read(services, shop_id)[0].platform
    with _alone(services, platform, lambda session: try_lock_access(session, platform, held.domain), patience):
        shop, stored, now = _read(services, shop_id)
        if stored.credentials != held.credentials:
            return stored
        try:
            fresh = services.platforms[shop.platform].refresh(stored, now, is_refused=is_refused)
        except AccessLost:
            # Whoever does not hold the lock, as an older version of ours, may have been faster.
            _, stored, _ = _read(services, shop_id)
            if stored.credentials != held.credentials:
                return stored
            raise
        if fresh is None:
            return stored
        with services.db.transaction(shop=shop_id) as session:
            is_kept = shops.replace_credentials(session, services.vault, shop_id, fresh, held)
    if not is_kept:
        # Uninstalled, or installed anew, while we asked: what we got is nobody's.
        return _read(services, shop_id)[1]
    log.info("access.refreshed", shop_id=shop_id)
    return Access(shop_id, held.domain, dict(fresh))


def _read(services: Services, shop_id: int) -> tuple[ShopRow, Access, datetime]:
    """The shop, what is stored for it, and the time. Raises NotFound if it is not connected."""
    with services.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        if shop.state != "connected":
            raise NotFound(f"shop {shop.public_id} is {shop.state}")
        return shop, shops.open_access(services.vault, shop), app_now(session)


@contextmanager
def registering(services: Services, platform: str, shop_id: int) -> Iterator[None]:
    """Nobody else registers this shop's webhooks meanwhile. Raises TransientError if somebody else takes too long over it."""
    with _alone(services, platform, lambda session: try_lock_webhooks(session, shop_id), PATIENCE_SECONDS):
        yield


@contextmanager
def _alone(services: Services, platform: str, lock: Callable[[Session], bool], patience: float) -> Iterator[None]:
    """Hold the lock. Raises TransientError if it cannot be had in time."""
    until = time.monotonic() + patience
    while True:
        failure: BaseException | None = None
        with services.db.system_transaction("one at a time sees to a shop's tokens or webhooks") as session:
            is_ours = lock(session)
            if is_ours:
                try:
                    yield
                except BaseException as error:
                    # A platform's failure is none of the database's.
                    failure = error
        if failure is not None:
            raise failure
        if is_ours:
            return
        if time.monotonic() >= until:
            raise TransientError("somebody else is at it for this shop", platform=platform, call="access")
        time.sleep(POLL_SECONDS)
