"""Accounts and shops: install, find, settle, uninstall."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.canonical import Resource, ScopesChanged, ShopProfile
from connector.errors import NotFound
from connector.platforms import Access, Installation
from connector.rules.abandonment import ActivityClock, check_threshold
from connector.rules.offers import Storefront
from connector.rules.withheld import withheld_groups
from connector.store import checkouts, members, notices, offer_work
from connector.store.automation_tables import AutomationRow
from connector.store.db import app_now, wake_after_commit
from connector.store.ids import public_id
from connector.store.notices import Cause
from connector.store.sealed import Vault
from connector.store.tables import AccountRow, ShopRow, ShopWorkRow

JOB = "listen"
"""What is rung for after an install: whether the shop tells us what happens in it."""


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
    elif shop.redacted_at is not None:
        owner_id = _revive(session, shop, installation.profile, account_id)
    _settle(shop, installation.profile)
    shop.credentials, shop.credentials_at, shop.withheld = vault.seal(installation.credentials), now, []
    shop.scopes = list(installation.scopes)
    shop.missing_scopes = list(installation.missing_scopes)
    shop.state, shop.installed_at, shop.uninstalled_at, shop.listened_at = "connected", now, None, None
    session.flush()
    notices.settle(session, shop.account_id, Cause.NEEDS_SIGN_IN, shop.public_id)
    assert shop.id is not None
    offer_work.look_again(session, shop.id)
    assert shop.webhook_secret is not None
    wake_after_commit(session, JOB, shop.id)
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


def _revive(session: Session, shop: ShopRow, profile: ShopProfile, account_id: int | None) -> int | None:
    """
    A shop that was erased comes back. If its account was emptied with it, the shop goes to the account of whoever connects it, or
    the old one gets an owner again, whose id is returned.
    """
    shop.redacted_at = None
    if members.list_members(session, shop.account_id):
        return None
    if account_id is not None:
        shop.account_id = account_id
        return None
    session.get_one(AccountRow, shop.account_id).name = profile.name
    return members.add_first(session, shop.account_id, profile.contact_email).id


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


def save_profile(session: Session, shop_id: int, profile: ShopProfile) -> None:
    """What the platform says of a shop now."""
    shop = get_shop(session, shop_id)
    _settle(shop, profile)
    # A store that tells no more whether it is open is as it was, but for one thing: it answers.
    is_closed = profile.is_open is False or (profile.is_open is None and shop.storefront == Storefront.PASSWORD.value)
    _note_storefront(session, shop, Storefront.PASSWORD if is_closed else Storefront.OPEN)


def note_frozen(session: Session, shop_id: int) -> None:
    """The platform has frozen, paused or closed the store."""
    _note_storefront(session, get_shop(session, shop_id), Storefront.FROZEN)


def _note_storefront(session: Session, shop: ShopRow, storefront: Storefront) -> None:
    assert shop.id is not None
    was, shop.profile_read_at = shop.storefront, app_now(session)
    shop.storefront = storefront.value
    session.flush()
    if was != shop.storefront:
        offer_work.look_again(session, shop.id)


def note_scopes(session: Session, shop_id: int, change: ScopesChanged) -> bool:
    """
    The scopes that a shop has given, and those that are missing. The newest word counts, whenever it comes.

    False if a newer one is known, or if the shop was installed anew since.
    """
    statement = text("""
        update shops set scopes = :granted, missing_scopes = :missing, scopes_at = :at
        where id = :shop and state <> 'uninstalled' and :at >= greatest(scopes_at, installed_at) returning 1
    """)
    values = {"shop": shop_id, "granted": list(change.granted), "missing": list(change.missing), "at": change.at}
    is_newest = session.execute(statement, values).scalar() is not None
    if is_newest:
        offer_work.look_again(session, shop_id)
    return is_newest


def note_withheld(session: Session, shop_id: int, paths: Collection[str], read: Resource | None = None) -> None:
    """
    Remember which fields the platform keeps from us (`Page.withheld`), as one group of them each: `email`, `phone`, ….

    `read`: some records of this kind were read, and these fields are all that is withheld of such records: what was withheld of
    them before and is not any more is forgotten. Without it, what is new is added.
    """
    shop = get_shop(session, shop_id)
    told = {f"{read.value}.{group}" if read else group for group in withheld_groups(paths)}
    others = {one for one in shop.withheld if read is None or not one.startswith(f"{read.value}.")}
    now = sorted(told | others)
    if now != shop.withheld:
        shop.withheld = now
        session.flush()


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
    End a shop's install: credentials gone, nothing is read or listened for any more. False for a late farewell of an earlier install.

    Queued messages are the caller's to cancel, in the same transaction.
    """
    changed = session.execute(
        text("""
            update shops set state = 'uninstalled', uninstalled_at = :at, credentials = null, credentials_at = null
            where id = :shop and state <> 'uninstalled' and installed_at <= :at returning account_id, public_id
        """),
        {"shop": shop_id, "at": at},
    ).one_or_none()
    if changed is None:
        return False
    notices.settle(session, changed[0], Cause.NEEDS_SIGN_IN, changed[1])
    offer_work.look_again(session, shop_id)
    for table in ("wanted_reads", "topic_health"):
        session.execute(text(f"delete from {table} where shop_id = :shop"), {"shop": shop_id})
    return True


def mark_access_lost(session: Session, vault: Vault, shop_id: int, refused: Access | None = None) -> bool:
    """
    The platform no longer accepts our credentials: everything stops politely until somebody signs in again; owners are told.

    False if the shop was not connected, or holds other credentials than the `refused` ones by now.
    """
    shop = _locked(session, shop_id)
    if shop is None or shop.state != "connected" or not _holds(vault, shop, refused):
        return False
    shop.state = "needs_sign_in"
    session.flush()
    offer_work.look_again(session, shop_id)
    notices.tell(session, vault, shop, Cause.NEEDS_SIGN_IN, shop.public_id)
    return True


def replace_credentials(session: Session, vault: Vault, shop_id: int, credentials: Mapping[str, str], held: Access | None = None) -> bool:
    """
    Store a refreshed token pair of a connected shop, in the place of the `held` one.

    False, and nothing is written, if the shop was uninstalled or holds a newer pair by now.
    """
    shop = _locked(session, shop_id)
    if shop is None or shop.state != "connected" or not _holds(vault, shop, held):
        return False
    shop.credentials, shop.credentials_at = vault.seal(credentials), app_now(session)
    session.flush()
    notices.settle(session, shop.account_id, Cause.NEEDS_SIGN_IN, shop.public_id)
    return True


def note_credentials_held(session: Session, shop_id: int) -> None:
    """There was nothing to replace a shop's credentials by."""
    session.execute(text("update shops set credentials_at = app_now() where id = :shop and state = 'connected'"), {"shop": shop_id})


def quiet_shops(session: Session, before: datetime, limit: int) -> list[int]:
    """Connected shops whose credentials were stored before an instant, the oldest first. Needs a system transaction."""
    statement = text("""
        select id from shops where state = 'connected' and (credentials_at is null or credentials_at <= :before)
        order by credentials_at nulls first, id limit :limit
    """)
    return list(session.execute(statement, {"before": before, "limit": limit}).scalars())


def _locked(session: Session, shop_id: int) -> ShopRow | None:
    statement = select(ShopRow).where(col(ShopRow.id) == shop_id).with_for_update().execution_options(populate_existing=True)
    return session.scalars(statement).one_or_none()


def _holds(vault: Vault, shop: ShopRow, held: Access | None) -> bool:
    """Compared opened: keys change, and what they seal is sealed anew."""
    return held is None or (shop.credentials is not None and vault.open(shop.credentials) == held.credentials)
