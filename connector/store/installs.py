"""Installs on their way: bound to one browser, used once, for 15 minutes; and what became of a shop's webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text
from sqlmodel import Session, col

from connector.platforms import Installation
from connector.store import audit, members, shops
from connector.store.audit import Actor
from connector.store.automation_tables import AuditEntryRow
from connector.store.db import app_now
from connector.store.sealed import Vault
from connector.store.shops import Installed
from connector.store.tables import PendingInstallRow, ShopRow

LIFETIME = timedelta(minutes=15)
WEBHOOKS_READY = "webhooks.ready"
WEBHOOKS_FAILED = "webhooks.failed"
USED = b""


@dataclass(frozen=True, slots=True)
class WebhookCheck:
    """How the last attempt to register a shop's webhooks ended, and in whose words."""

    at: datetime
    is_ready: bool
    words: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An install that may go on, as of `at`: what was remembered, and the account that a new shop joins (None: one of its own)."""

    remembered: Mapping[str, str]
    account_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """A shop whose install ended well. `owner_id`: the first member of the account that was made for it, once."""

    shop_id: int
    public_id: str
    account_id: int
    owner_id: int | None


def remember(
    session: Session, vault: Vault, platform: str, state: str, browser: str, remembered: Mapping[str, str], account_id: int | None = None
) -> None:
    """
    Keep an install until its callback; those that ran out go. `state` and `browser` are one-time random texts; `account_id` is
    that of the member who began it.
    """
    now = app_now(session)
    session.execute(delete(PendingInstallRow).where(col(PendingInstallRow.created_at) < now - LIFETIME))
    row = PendingInstallRow(
        state_hash=_state_hash(vault, state),
        browser_hash=_browser_hash(vault, browser),
        platform=platform,
        remembered=vault.seal(remembered),
        created_at=now,
        account_id=account_id,
    )
    session.add(row)


def claim(session: Session, vault: Vault, platform: str, state: str, browser: str | None) -> Claim | None:
    """
    Use up an install and return what was remembered; None if there is none of this state that may go on.

    With a `browser` it must be the one that began; without, the store itself calls, which has no cookie. The row stays, emptied, to
    tell the browser later what became of it.
    """
    row = session.get(PendingInstallRow, _state_hash(vault, state), with_for_update=True)
    if row is None or not _is_good(session, row, platform) or row.remembered == USED:
        return None
    if browser is not None and row.browser_hash != _browser_hash(vault, browser):
        return None
    claimed = Claim(vault.open(row.remembered), row.account_id, app_now(session))
    row.remembered = USED
    return claimed


def save(
    session: Session,
    vault: Vault,
    platform: str,
    installation: Installation,
    *,
    state: str | None = None,
    fresh_key: str,
    fresh_secret: str,
    account_id: int | None = None,
) -> Installed:
    """
    Write a proven install (see `shops.save_install`) and, where the browser will ask later, that this one succeeded. Without a
    `state` there was no way out and back: the platform vouched for it at once.
    """
    # Two installs of a new shop at once would both find nothing and both insert.
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"install {platform} {installation.domain}"})
    installed = shops.save_install(
        session, vault, platform, installation, fresh_key=fresh_key, fresh_secret=fresh_secret, account_id=account_id
    )
    row = None if state is None else session.get(PendingInstallRow, _state_hash(vault, state))
    if row is not None:
        row.finished_shop_id, row.account_id = installed.shop_id, None if installed.owner_id is not None else installed.account_id
    return installed


def find_shop(session: Session, platform: str, domain: str) -> ShopRow | None:
    """The shop of a platform at that address, if it was ever installed. Needs a system transaction."""
    return session.scalars(select(ShopRow).where(col(ShopRow.platform) == platform, col(ShopRow.domain) == domain)).one_or_none()


def find_finished(session: Session, vault: Vault, platform: str, state: str, browser: str) -> Finished | None:
    """
    What an install of this browser ended in, if it did within its 15 minutes.

    The first to ask after an account was made for it gets its owner as well, and nobody after that.
    """
    row = session.get(PendingInstallRow, _state_hash(vault, state), with_for_update=True)
    if row is None or not _is_good(session, row, platform) or row.browser_hash != _browser_hash(vault, browser):
        return None
    if row.finished_shop_id is None:
        return None
    shop = shops.get_shop(session, row.finished_shop_id)
    owner_id = None if row.account_id is not None else members.first_owner(session, shop.account_id)
    row.account_id = shop.account_id
    return Finished(row.finished_shop_id, shop.public_id, shop.account_id, owner_id)


def was_used(session: Session, vault: Vault, platform: str, state: str, browser: str) -> bool:
    """Whether this browser began an install that somebody has come back with already, within its 15 minutes."""
    row = session.get(PendingInstallRow, _state_hash(vault, state))
    is_theirs = row is not None and _is_good(session, row, platform) and row.browser_hash == _browser_hash(vault, browser)
    return row is not None and is_theirs and row.remembered == USED


def note_webhooks(session: Session, shop: ShopRow, *, actor: Actor, is_ready: bool, words: str) -> None:
    """Write down how registering the shop's webhooks ended. `words` are fit for the merchant."""
    action = WEBHOOKS_READY if is_ready else WEBHOOKS_FAILED
    audit.write(session, actor, action, account_id=shop.account_id, shop_id=shop.id, object=shop.public_id, reason=words)


def last_webhook_check(session: Session, shop_id: int) -> WebhookCheck | None:
    """How registering the shop's webhooks ended the last time; None if it was never tried."""
    entry = session.scalars(
        select(AuditEntryRow)
        .where(col(AuditEntryRow.shop_id) == shop_id, col(AuditEntryRow.action).in_([WEBHOOKS_READY, WEBHOOKS_FAILED]))
        .order_by(col(AuditEntryRow.id).desc())
        .limit(1)
    ).one_or_none()
    return None if entry is None else WebhookCheck(entry.at, entry.action == WEBHOOKS_READY, entry.reason or "")


def _is_good(session: Session, row: PendingInstallRow, platform: str) -> bool:
    return row.platform == platform and row.created_at >= app_now(session) - LIFETIME


def _state_hash(vault: Vault, state: str) -> bytes:
    return vault.keyed_hash("install-state", state)


def _browser_hash(vault: Vault, browser: str) -> bytes:
    return vault.keyed_hash("install-browser", browser)
