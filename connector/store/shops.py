"""Accounts and shops: install, find, settle, uninstall."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.canonical import ShopProfile
from connector.errors import NotFound
from connector.platforms import Access, Installation
from connector.rules.abandonment import ActivityClock, check_threshold
from connector.store import checkouts, members, notices
from connector.store.automation_tables import AutomationRow
from connector.store.db import app_now
from connector.store.ids import public_id
from connector.store.notices import Cause
from connector.store.sealed import Vault
from connector.store.tables import AccountRow, ShopRow, ShopWorkRow


@dataclass(frozen=True, slots=True)
class Installed:
    """
    An install that was written: the shop, its account, and the opened secret of its webhooks.

    `owner_id`: the first member of an account that was made for it; None if the shop is in one that was there before.
    """

    shop_id: int
    public_id: str
    webhook_secret: str
    shop_key: str
    account_id: int
    owner_id: int | None = None


def save_install(
    session: Session,
    vault: Vault,
    platform: str,
    installation: Installation,
    *,
    fresh_key: str,
    fresh_secret: str,
    account_id: int | None = None,
) -> Installed:
    """
    Write a proven install: a new shop in `account_id` or in an account of its own, or the same shop again after a reinstall.

    A shop that was here before stays in its account, whoever installs it: moving it would need proof from both sides. Webhook key
    and secret stay the same over reinstalls, so that subscriptions made before keep working. The abandoned-checkout automation
    comes with the shop, off (SQ-01).
    """
    now, owner_id = app_now(session), None
    shop = session.scalars(
        select(ShopRow).where(col(ShopRow.platform) == platform, col(ShopRow.domain) == installation.domain).with_for_update()
    ).one_or_none()
    if shop is None:
        if account_id is None:
            account_id, owner_id = _new_account(session, installation.profile, now)
        shop = _new_shop(session, vault, platform, installation, now, fresh_key, fresh_secret, account_id)
    _settle(shop, installation.profile)
    shop.credentials = vault.seal(installation.credentials)
    shop.scopes = list(installation.scopes)
    shop.missing_scopes = list(installation.missing_scopes)
    shop.state, shop.installed_at, shop.uninstalled_at = "connected", now, None
    session.flush()
    notices.settle(session, shop.account_id, Cause.NEEDS_SIGN_IN, shop.public_id)
    assert shop.id is not None
    assert shop.webhook_secret is not None
    secret = vault.open(shop.webhook_secret)["secret"]
    return Installed(shop.id, shop.public_id, secret, shop.shop_key, shop.account_id, owner_id)


def _new_account(session: Session, profile: ShopProfile, now: datetime) -> tuple[int, int]:
    """An account named after its first shop, whose contact address becomes its first owner's."""
    account = AccountRow(public_id=public_id("acc"), name=profile.name, created_at=now)
    session.add(account)
    session.flush()
    assert account.id is not None
    owner = members.add_first(session, account.id, profile.contact_email)
    assert owner.id is not None
    return account.id, owner.id


def _new_shop(
    session: Session,
    vault: Vault,
    platform: str,
    installation: Installation,
    now: datetime,
    fresh_key: str,
    fresh_secret: str,
    account_id: int,
) -> ShopRow:
    shop = ShopRow(
        public_id=public_id("shp"),
        account_id=account_id,
        platform=platform,
        domain=installation.domain,
        shop_key=fresh_key,
        webhook_secret=vault.seal({"secret": fresh_secret}),
        name=installation.profile.name,
        url=installation.profile.url,
        currency=installation.profile.currency,
        timezone=installation.profile.timezone,
        installed_at=now,
        created_at=now,
    )
    session.add(shop)
    session.flush()
    assert shop.id is not None
    session.add(ShopWorkRow(shop_id=shop.id))
    session.add(AutomationRow(public_id=public_id("aut"), shop_id=shop.id))
    return shop


def _settle(shop: ShopRow, profile: ShopProfile) -> None:
    shop.name, shop.url, shop.currency, shop.timezone = profile.name, profile.url, profile.currency, profile.timezone
    shop.platform_shop_id = profile.platform_shop_id
    shop.hosts = sorted({shop.domain.split("/")[0], *profile.hosts})
    shop.language, shop.country = profile.language, profile.country
    shop.taxes_included = profile.taxes_included
    shop.contact_email, shop.contact_address = profile.contact_email, profile.address


def get_shop(session: Session, shop_id: int) -> ShopRow:
    """The shop. Raises NotFound."""
    shop = session.get(ShopRow, shop_id)
    if shop is None:
        raise NotFound(f"no shop {shop_id}")
    return shop


def find_shop(session: Session, name: str) -> ShopRow:
    """The shop by public id or domain. Raises NotFound naming what was asked for."""
    shop = session.scalars(select(ShopRow).where((col(ShopRow.public_id) == name) | (col(ShopRow.domain) == name.lower()))).first()
    if shop is None:
        raise NotFound(f"there is no shop {name!r}")
    return shop


def list_shops(session: Session) -> Sequence[ShopRow]:
    """All shops that the transaction can see, oldest first."""
    return session.scalars(select(ShopRow).order_by(col(ShopRow.id))).all()


def open_access(vault: Vault, shop: ShopRow) -> Access:
    """What is needed to call this shop. Raises NotFound if it holds no credentials (uninstalled)."""
    if shop.credentials is None or shop.id is None:
        raise NotFound(f"shop {shop.public_id} holds no credentials: it must be installed again")
    return Access(shop.id, shop.domain, vault.open(shop.credentials))


def set_threshold(session: Session, shop_id: int, minutes: int, clock: ActivityClock) -> None:
    """
    Change when checkouts of a shop count as abandoned; those that are open fall due anew.

    Raises Refused outside 20 minutes to 48 hours (SQ-11).
    """
    check_threshold(minutes)
    open_ids = checkouts.lock_open(session, shop_id)  # before the shop: the lock order of `outgoing`
    shop = get_shop(session, shop_id)
    shop.threshold_minutes, shop.activity_clock = minutes, clock.value
    session.flush()
    checkouts.settle(session, shop, open_ids)


def uninstall(session: Session, shop_id: int, at: datetime) -> bool:
    """
    End a shop's install: credentials gone, nothing queued is sent. False for a late farewell of an earlier install.
    """
    changed = session.execute(
        text("""
            update shops set state = 'uninstalled', uninstalled_at = :at, credentials = null
            where id = :shop and state <> 'uninstalled' and installed_at <= :at returning account_id, public_id
        """),
        {"shop": shop_id, "at": at},
    ).one_or_none()
    if changed is not None:
        notices.settle(session, changed[0], Cause.NEEDS_SIGN_IN, changed[1])
    return changed is not None


def mark_access_lost(session: Session, vault: Vault, shop_id: int) -> None:
    """The platform no longer accepts our credentials: everything stops politely until somebody signs in again; owners are told."""
    statement = text("update shops set state = 'needs_sign_in' where id = :shop and state = 'connected' returning 1")
    if session.execute(statement, {"shop": shop_id}).scalar() is not None:
        shop = get_shop(session, shop_id)
        notices.tell(session, vault, shop, Cause.NEEDS_SIGN_IN, shop.public_id)


def replace_credentials(session: Session, vault: Vault, shop_id: int, credentials: Mapping[str, str]) -> None:
    """Store a refreshed token pair of a connected shop; an uninstalled one gets none."""
    changed = session.execute(
        text("update shops set credentials = :sealed where id = :shop and state = 'connected' returning account_id, public_id"),
        {"shop": shop_id, "sealed": vault.seal(credentials)},
    ).one_or_none()
    if changed is not None:
        notices.settle(session, changed[0], Cause.NEEDS_SIGN_IN, changed[1])
