"""Installs on their way: bound to one browser, used once, for 15 minutes; and what became of a shop's webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, text
from sqlmodel import Session, col

from connector.platforms import Installation
from connector.store import shops
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


def remember(session: Session, vault: Vault, platform: str, state: str, browser: str, remembered: Mapping[str, str]) -> None:
    """Keep an install until its callback; those that ran out go. `state` and `browser` are one-time random texts."""
    now = app_now(session)
    session.execute(delete(PendingInstallRow).where(col(PendingInstallRow.created_at) < now - LIFETIME))
    row = PendingInstallRow(
        state_hash=_state_hash(vault, state),
        browser_hash=_browser_hash(vault, browser),
        platform=platform,
        remembered=vault.seal(remembered),
        created_at=now,
    )
    session.add(row)


def claim(session: Session, vault: Vault, platform: str, state: str, browser: str | None) -> Mapping[str, str] | None:
    """
    Use up an install and return what was remembered; None if there is none of this state that may go on.

    With a `browser` it must be the one that began, and the row goes at once. Without (the store itself calls, it has no
    cookie) the row stays, emptied, to tell the browser later what became of it.
    """
    row = session.get(PendingInstallRow, _state_hash(vault, state), with_for_update=True)
    if row is None or not _is_good(session, row, platform) or row.remembered == USED:
        return None
    if browser is not None and row.browser_hash != _browser_hash(vault, browser):
        return None
    remembered = vault.open(row.remembered)
    if browser is None:
        row.remembered = USED
    else:
        session.delete(row)
    return remembered


def save(
    session: Session, vault: Vault, platform: str, installation: Installation, *, state: str, fresh_key: str, fresh_secret: str
) -> Installed:
    """Write a proven install (see `shops.save_install`) and, where the browser will ask later, that this one succeeded."""
    # Two installs of a new shop at once would both find nothing and both insert.
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"install {platform} {installation.domain}"})
    installed = shops.save_install(session, vault, platform, installation, fresh_key=fresh_key, fresh_secret=fresh_secret)
    row = session.get(PendingInstallRow, _state_hash(vault, state))
    if row is not None:
        row.finished_shop_id = installed.shop_id
    return installed


def find_finished(session: Session, vault: Vault, platform: str, state: str, browser: str) -> ShopRow | None:
    """The shop that an install of this browser ended in, if it did within its 15 minutes."""
    row = session.get(PendingInstallRow, _state_hash(vault, state))
    if row is None or not _is_good(session, row, platform) or row.browser_hash != _browser_hash(vault, browser):
        return None
    return None if row.finished_shop_id is None else shops.get_shop(session, row.finished_shop_id)


def note_webhooks(session: Session, shop: ShopRow, *, actor: str, is_ready: bool, words: str) -> None:
    """Write down how registering the shop's webhooks ended. `words` are fit for the merchant."""
    entry = AuditEntryRow(
        account_id=shop.account_id,
        shop_id=shop.id,
        actor=actor,
        action=WEBHOOKS_READY if is_ready else WEBHOOKS_FAILED,
        object=shop.public_id,
        reason=words,
        at=app_now(session),
    )
    session.add(entry)


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
