"""
Codes that we make in stores: which are wanted, which are there, and whom they are for.

Here are the wishes (`wanted`) only; `offer_code_work` says what becomes of them. Whoever wishes holds the shop's offer work. A wish that
comes while a store is being asked waits for the answer: two calls about one code never overtake each other.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlmodel import Session, col

from connector.errors import Refused
from connector.rules.code_pool import KEPT, LENGTH, SMALLEST, missing_from_pool, pool_size, spell
from connector.rules.discounts import Ineligible, why_not
from connector.rules.grants import GrantState, end_of_day_after
from connector.rules.zones import zone
from connector.store import codes, grants, shops
from connector.store import offer_code_statements as statements
from connector.store.db import app_now, wake_after_commit
from connector.store.ids import public_id
from connector.store.offer_tables import GrantRow, OfferCodeRow, OfferRow, OfferVersionRow
from connector.store.tables import ShopRow

JOB = "make_codes"
BITS = 5 * LENGTH
USED = "used"
"""The refusal of a code that stays in the store when others are cleared away (C53)."""
CHANGED = "changed_in_store"
NEVER = "never_made"
LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pending:
    """What a store has still to do: to `wanted` from `actual` for so many codes of a role, `since` when, after how many tries."""

    role: str
    wanted: str
    actual: str
    count: int
    since: datetime
    attempts: int
    due_at: datetime


def want_shared(session: Session, shop_id: int, version: OfferVersionRow) -> OfferCodeRow:
    """
    The one code of this version is wanted of the store; twice is fine, and so is a newer version with the same code and terms.

    Raises Refused for a code without an end: what we make never lives for ever (C58), nor takes the name of another code of ours.
    """
    if version.code is None or version.ends_at is None:
        raise Refused("A code that we make needs a name and an end.")
    statement = select(OfferCodeRow).where(col(OfferCodeRow.shop_id) == shop_id, col(OfferCodeRow.code_key) == func.lower(version.code))
    row = session.scalars(statement.with_for_update().execution_options(populate_existing=True)).one_or_none()
    now = app_now(session)
    wake_after_commit(session, JOB, shop_id)
    if row is None:
        return _add(session, version, "shared", version.ends_at, now, code=version.code)
    if row.role != "shared" or row.offer_id != version.offer_id:
        raise Refused("Another offer of this store has the code {code} already.", code=version.code)
    is_new_try = row.actual == "refused" or not _has_same_terms(session.get_one(OfferVersionRow, row.version_id), version)
    assert version.id is not None
    if is_new_try and row.version_id != version.id:
        row.wanted, row.actual, row.refusal, row.ends_at = "issued", "none", None, version.ends_at
        row.changed_at = row.due_at = now
        row.attempts = 0
    row.version_id = version.id
    session.flush()
    return row


def give(session: Session, shop: ShopRow, version: OfferVersionRow, grant: GrantRow, ends_at: datetime, now: datetime) -> str | None:
    """
    A free code of the right series for a grant; None: one is wanted of the store, and the grant is told when it is there.

    A code that is good for one address only is made for each; it is one alone. Who has no address gets one of the series.
    """
    assert grant.id is not None
    statement = select(OfferCodeRow).where(col(OfferCodeRow.grant_id) == grant.id)
    held = session.scalars(statement.execution_options(populate_existing=True)).first()
    if held is not None:
        return held.code if held.wanted == held.actual == "issued" else None
    if version.locks_email and grant.email:
        _add(session, version, "unique", ends_at, now, grant_id=grant.id, email=grant.email)
        return None
    model = _find_series(session, shop, version, ends_at, now) or _add(session, version, "model", ends_at, now)
    assert model.id is not None
    free = session.scalars(
        select(OfferCodeRow)
        .where(col(OfferCodeRow.model_id) == model.id, col(OfferCodeRow.role) == "unique", col(OfferCodeRow.grant_id).is_(None))
        .where(col(OfferCodeRow.wanted) == "issued", col(OfferCodeRow.actual) == "issued")
        .order_by(col(OfferCodeRow.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if free is None:
        _add(session, version, "unique", ends_at, now, model_id=model.id, grant_id=grant.id)
        return None
    free.grant_id, free.changed_at, free.due_at = grant.id, now, now
    session.flush()
    return free.code


def add_model(session: Session, version: OfferVersionRow, ends_at: datetime | None) -> OfferCodeRow:
    """Begin a series anew, as the store has the old one no more."""
    return _add(session, version, "model", ends_at, app_now(session))


def spell_code(version: OfferVersionRow) -> str:
    """A new name for a code of this version that nobody can guess."""
    return spell(secrets.randbits(BITS), version.prefix)


def withdraw(session: Session, grant_id: int) -> None:
    """The grant's own code is wanted suspended; a shared one is none of its own."""
    _wish(session, statements.WITHDRAW, {"grant": grant_id})


def restore(session: Session, grant_id: int) -> None:
    """The grant's own code is wanted issued again; if it never was anything else, the grant is told at once."""
    _wish(session, statements.RESTORE, {"grant": grant_id})
    grant = session.get_one(GrantRow, grant_id)
    if grant.state == GrantState.PREPARING.value:
        statement = select(OfferCodeRow).where(col(OfferCodeRow.grant_id) == grant_id).execution_options(populate_existing=True)
        row = session.scalars(statement).first()
        if row is not None and row.wanted == row.actual == "issued":
            grants.make_live(session, shops.get_shop(session, grant.shop_id), grant, row.code)


def want_ends(session: Session, shop_id: int, now: datetime) -> int:
    """
    What has ended by our clock is wanted suspended: the store is asked, and told if it honours it still (RL-142). Returns how many.

    Where the merchant moved the end in the store, as it was read, that counts. With a series go those of its codes that the store has
    as discounts of their own, and those that it has not made yet.
    """
    values = {"shop": shop_id, "now": now}
    return _wish(session, statements.END_HEADS, values) + _wish(session, statements.END_UNIQUE, values)


def fill_pools(session: Session, shop_id: int, now: datetime) -> int:
    """
    Wish for codes for the pools of series that are given now, where less than a quarter is left (BX-10); returns how many.

    A series that only today's buyers get has a pool only if many buy: what nobody needs is one more dead code in the store (C52).
    """
    shop = shops.get_shop(session, shop_id)
    statement = (
        select(OfferVersionRow)
        .join(OfferRow, (col(OfferRow.id) == col(OfferVersionRow.offer_id)) & (col(OfferRow.version) == col(OfferVersionRow.version)))
        .where(col(OfferRow.shop_id) == shop_id, col(OfferRow.state) == "active")
        .where(col(OfferVersionRow.mode) == "unique", col(OfferVersionRow.locks_email).is_(False))
    )
    count = 0
    for version in session.scalars(statement).all():
        ends_at = version.ends_at or end_of_day_after(now, version.valid_days or 1, zone(shop.timezone))
        model = _find_series(session, shop, version, ends_at, now)
        if model is None or model.actual != "issued":
            continue
        given, free = session.execute(statements.POOL, {"offer": version.offer_id, "model": model.id, "since": now - LATELY}).one()
        missing = 0 if version.ends_at is None and given < SMALLEST else missing_from_pool(free, pool_size(given))
        for _ in range(missing):
            _add(session, version, "unique", ends_at, now, model_id=model.id)
        count += missing
    if count:
        wake_after_commit(session, JOB, shop_id)
    return count


def want_clearing(session: Session, shop_id: int, now: datetime) -> int:
    """
    What nobody used is wanted deleted thirty days after its end (C52); what was used stays as a record (C53). Returns how many.

    Only codes that we made are looked at (C54). A series' own discount goes when it has no code any more that was used.
    """
    heads = session.execute(statements.OLD_HEADS, {"shop": shop_id, "before": now - KEPT}).scalars().all()
    if not heads:
        return 0
    values = {"heads": list(heads), "used": USED}
    session.execute(statements.KEEP_USED, values)
    count = _wish(session, statements.CLEAR_UNIQUE, values)
    session.execute(statements.KEEP_MODELS, values)
    return count + _wish(session, statements.CLEAR_HEADS, values)


def ended_among(session: Session, shop_id: int, platform_ids: Sequence[str]) -> set[str]:
    """Those of these discounts that are ours, have ended by our clock, and are being ended in the store, or were lately."""
    if not platform_ids:
        return set()
    return set(session.execute(statements.ENDED_AMONG, {"shop": shop_id, "ids": list(platform_ids)}).scalars())


def pending_of(session: Session, offer_id: int) -> Sequence[Pending]:
    """What the store has still to do for an offer, the oldest wish first."""
    return [Pending(*row) for row in session.execute(statements.PENDING, {"offer": offer_id})]


def cleared_of(session: Session, offer_id: int) -> int:
    """How many codes of an offer were taken out of the store because nobody had used them (C54)."""
    return int(session.execute(statements.CLEARED, {"offer": offer_id}).scalar_one())


def has_due(session: Session, shop_id: int) -> bool:
    """Whether something of the shop waits to be done by its store now."""
    return bool(session.execute(statements.HAS_DUE, {"shop": shop_id}).scalar_one())


def shops_with_due(session: Session, limit: int) -> list[int]:
    """Connected shops whose stores have something to do, the longest waiting first."""
    return list(session.execute(statements.SHOPS_WITH_DUE, {"limit": limit}).scalars())


def _find_series(session: Session, shop: ShopRow, version: OfferVersionRow, ends_at: datetime, now: datetime) -> OfferCodeRow | None:
    """
    The series of these terms and this end, of whatever version of the offer; of a refused one only this version's own.

    One that the merchant deleted or changed in the store is left behind.
    """
    values = {"offer": version.offer_id, "version": version.id, "ends_at": ends_at}
    found = session.execute(statements.SERIES, values).scalar()
    if found is None:
        return None
    model = session.get_one(OfferCodeRow, found, populate_existing=True)
    assert shop.id is not None
    kept = codes.find(session, shop.id, model.code)
    if kept is not None and set(why_not(codes.to_state(kept), now)) - {Ineligible.USED_UP}:
        model.wanted, model.actual, model.refusal, model.changed_at = "deleted", "deleted", CHANGED, now
        session.flush()
        return None
    return model


def _has_same_terms(one: OfferVersionRow, other: OfferVersionRow) -> bool:
    fields = ("kind", "value", "currency", "minimum_subtotal", "usage_limit", "once_per_customer", "ends_at")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


def _add(
    session: Session,
    version: OfferVersionRow,
    role: str,
    ends_at: datetime | None,
    now: datetime,
    *,
    code: str | None = None,
    model_id: int | None = None,
    grant_id: int | None = None,
    email: str | None = None,
) -> OfferCodeRow:
    if ends_at is None:
        raise Refused("A code that we make needs a name and an end.")
    assert version.id is not None
    row = OfferCodeRow(
        public_id=public_id("ofc"),
        shop_id=version.shop_id,
        offer_id=version.offer_id,
        version_id=version.id,
        role=role,
        model_id=model_id,
        code=code or spell_code(version),
        email=email,
        ends_at=ends_at,
        grant_id=grant_id,
        created_at=now,
        changed_at=now,
        due_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _wish(session: Session, statement: str, values: Mapping[str, object]) -> int:
    """Change what is wanted; returns of how many codes, and rings for their shop."""
    shop_ids = session.execute(text(statement), values).scalars().all()
    for shop_id in set(shop_ids):
        wake_after_commit(session, JOB, shop_id)
    return len(shop_ids)
