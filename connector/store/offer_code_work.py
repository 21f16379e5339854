"""
Work on codes that we make in stores: what is to be done next, and what came of it.

A claim is a lease: it moves `due_at`, and an outcome counts only for whoever still holds it. Several codes of one series are one task, as
the store takes them in one call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.codes import CodeKind, DiscountCode
from connector.rules.grants import GrantReason, GrantState
from connector.store import audit, grant_mails, grants, offer_codes, offer_work
from connector.store.audit import SYSTEM
from connector.store.db import app_now, wake_after_commit
from connector.store.offer_code_statements import IS_DUE, IS_UNREAD
from connector.store.offer_tables import GrantRow, OfferCodeRow, OfferRow, OfferVersionRow
from connector.store.tables import ShopRow

LEASE = timedelta(minutes=3)
"""Longer than a store may take over one task."""
AT_ONCE = 50
"""Codes of a series in one task."""
UNTOLD = timedelta(seconds=15)
"""What the store said nothing of is asked for again after so long."""
ENDS_AT_ONCE = 25
"""Ended codes in one task; each is told to the store by a call of its own."""
LOOKS = 10
"""Codes in one task that are looked up by their names, each by a call."""


class Act(StrEnum):
    """What a store is to do; the last three need no word of the store."""

    ISSUE = "issue"
    ISSUE_MANY = "issue_many"
    RESUME = "resume"
    RESTORE = "restore"
    SUSPEND = "suspend"
    WITHDRAW = "withdraw"
    CLEAR = "clear"
    CLEAR_MANY = "clear_many"
    LOOK = "look"
    REFUSE = "refuse"
    REHOME = "rehome"
    FORGET = "forget"


QUIET = frozenset({Act.SUSPEND, Act.WITHDRAW, Act.CLEAR, Act.CLEAR_MANY})
"""What concerns no offer and no grant any more: it waits for nobody who decides about those, and nobody looks at them because of it."""


@dataclass(frozen=True, slots=True)
class Task:
    """Codes that are ours to work on until `lease`; of one series (`model`) if there are several. `code`: what a first one should be."""

    act: Act
    rows: Sequence[OfferCodeRow]
    lease: datetime
    now: datetime
    model: OfferCodeRow | None = None
    code: DiscountCode | None = None

    @property
    def first(self) -> OfferCodeRow:
        """The first, or only, code."""
        return self.rows[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The codes themselves."""
        return tuple(row.code for row in self.rows)

    @property
    def has_ended(self) -> bool:
        """Whether its end by our clock has come."""
        return self.first.ends_at is not None and self.first.ends_at <= self.now


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What the store has made of a code. `refusal`: why it does not take it, for good. What is None stays as it is.

    `wanted`: what is wanted from now on instead; `code`: the new name under which it is tried again.
    """

    actual: str
    platform_id: str | None = None
    refusal: str | None = None
    wanted: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a task, code by code (by row id), and what the audit log says of it: actions with what there is to say."""

    outcomes: Mapping[int, Outcome]
    log: Sequence[tuple[str, str]] = ()


def claim(session: Session, shop_id: int) -> Task | None:
    """The next thing to do for a shop's store, those that never failed first; None if nothing is due."""
    first = session.execute(_NEXT, {"shop": shop_id}).one_or_none()
    if first is None:
        return None
    now = app_now(session)
    row = session.get_one(OfferCodeRow, first.id, populate_existing=True)
    model = session.get_one(OfferCodeRow, row.model_id, populate_existing=True) if row.model_id is not None else None
    act = _act_for(row, model)
    rows = [row]
    if model is not None:
        limit = LOOKS if act in (Act.LOOK, Act.RESTORE) else AT_ONCE
        rows += _others(session, row, limit - 1)
    elif act is Act.SUSPEND and row.ends_at is not None and row.ends_at <= now:
        rows += _other_ends(session, row, ENDS_AT_ONCE - 1)
    lease = now + LEASE
    for one in rows:
        one.due_at = lease
        one.attempts = min(one.attempts + 1, 1000)
    session.flush()
    return Task(act, rows, lease, now, model, _discount(session, row) if act is Act.ISSUE else None)


def settle(session: Session, shop: ShopRow, task: Task, result: Result) -> None:
    """
    Write what came of a task, tell the grants, and log it. The caller holds the shop's offer work, unless the task is a quiet one.

    What somebody else has taken over meanwhile is left alone. Whose wish changed meanwhile is due at once.
    """
    now = app_now(session)
    is_changed = False
    model = session.get_one(OfferCodeRow, task.model.id, populate_existing=True) if task.model is not None else None
    is_homeless = model is not None and model.actual == "deleted"
    for row in _still_ours(session, task):
        assert row.id is not None
        outcome = result.outcomes.get(row.id)
        if outcome is None:
            row.due_at = now if is_homeless else now + UNTOLD
            continue
        is_changed = True
        if outcome.code is not None and _is_told(session, row):
            outcome = Outcome("refused", refusal="taken")
        _write(row, outcome, now)
        session.flush()
        if task.act not in QUIET:
            _tell_grant(session, shop, row, outcome)
    for action, reason in result.log:
        _log(session, shop, task, action, reason)
    if is_changed and task.act not in QUIET:
        offer_work.look_again(session, task.first.shop_id)


def rehome(session: Session, shop: ShopRow, task: Task) -> None:
    """The discount of these codes is gone from the store: those who wait for one get it from a series that begins anew."""
    assert task.model is not None
    old = session.get_one(OfferCodeRow, task.model.id, populate_existing=True)
    version = session.get_one(OfferVersionRow, old.version_id)
    rows = _still_ours(session, task)
    bound = [row for row in rows if row.grant_id is not None]
    made = offer_codes.add_model(session, version, old.ends_at) if bound else None
    for row in rows:
        if row.grant_id is not None and made is not None:
            row.model_id, row.due_at, row.attempts = made.id, app_now(session), 0
        else:
            row.wanted = row.actual = "deleted"
            row.refusal = offer_codes.CHANGED
    session.flush()
    wake_after_commit(session, offer_codes.JOB, task.first.shop_id)


def lose_model(session: Session, task: Task) -> None:
    """The store has the discount of this series no more: nothing is added to it again."""
    assert task.model is not None
    model = session.get_one(OfferCodeRow, task.model.id, populate_existing=True)
    if model.actual != "deleted":
        model.wanted = model.actual = "deleted"
        model.refusal, model.changed_at = offer_codes.CHANGED, app_now(session)
        session.flush()


def postpone(session: Session, shop: ShopRow, task: Task, seconds: float, *, trouble: str | None = None) -> None:
    """
    The store did not do it now: again after so long. `trouble`: what it said, logged the first time; None: it was not even tried.
    """
    due_at = app_now(session) + timedelta(seconds=seconds)
    rows = _still_ours(session, task)
    is_first = any(row.attempts == 1 for row in rows)
    for row in rows:
        row.due_at = due_at
        row.attempts = row.attempts if trouble is not None else max(row.attempts - 1, 0)
    session.flush()
    if trouble is not None and is_first:
        _log(session, shop, task, "code.delayed", trouble)


def hold_back(session: Session, shop_id: int, seconds: float) -> None:
    """The store answers nothing now: what else waits for it waits so long, too."""
    session.execute(_HOLD_BACK, {"shop": shop_id, "until": app_now(session) + timedelta(seconds=seconds)})


def _act_for(row: OfferCodeRow, model: OfferCodeRow | None) -> Act:
    if row.wanted == row.actual:
        return Act.LOOK
    if row.wanted == "issued":
        return _issue_act(row, model)
    if row.wanted == "suspended":
        return Act.SUSPEND if model is None else Act.WITHDRAW if model.platform_id is not None else Act.FORGET
    return Act.CLEAR if model is None else Act.CLEAR_MANY if model.platform_id is not None else Act.FORGET


def _issue_act(row: OfferCodeRow, model: OfferCodeRow | None) -> Act:
    is_suspended = row.actual == "suspended" and row.platform_id is not None
    if model is None:
        return Act.RESUME if is_suspended else Act.ISSUE
    if is_suspended:
        return Act.RESTORE
    if model.actual == "refused":
        return Act.REFUSE
    return Act.REHOME if model.actual == "deleted" else Act.ISSUE_MANY


def _others(session: Session, row: OfferCodeRow, limit: int) -> Sequence[OfferCodeRow]:
    """More codes of the same series with which the same is to be done."""
    statement = (
        select(OfferCodeRow)
        .where(col(OfferCodeRow.model_id) == row.model_id, col(OfferCodeRow.id) != row.id)
        .where(col(OfferCodeRow.wanted) == row.wanted, col(OfferCodeRow.actual) == row.actual)
        .where(col(OfferCodeRow.platform_id).is_(None) if row.platform_id is None else col(OfferCodeRow.platform_id).is_not(None))
        .where(col(OfferCodeRow.due_at) <= app_now(session))
    )
    if row.wanted == row.actual:
        statement = statement.where(col(OfferCodeRow.grant_id).is_not(None))
    statement = statement.order_by(col(OfferCodeRow.id)).limit(limit).with_for_update(skip_locked=True)
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def _other_ends(session: Session, row: OfferCodeRow, limit: int) -> Sequence[OfferCodeRow]:
    """More codes of the shop that are discounts of their own, are there, and have ended too: when many end at once, each waits for all."""
    statement = (
        select(OfferCodeRow)
        .where(col(OfferCodeRow.shop_id) == row.shop_id, col(OfferCodeRow.id) != row.id, col(OfferCodeRow.model_id).is_(None))
        .where(col(OfferCodeRow.wanted) == "suspended", col(OfferCodeRow.actual) == "issued", col(OfferCodeRow.ends_at) <= app_now(session))
        .where(col(OfferCodeRow.due_at) <= app_now(session))
        .order_by(col(OfferCodeRow.due_at), col(OfferCodeRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def _discount(session: Session, row: OfferCodeRow) -> DiscountCode:
    """A code as it is to be made. A unique one can be used once; whoever earns another of its series may use that too."""
    version = session.get_one(OfferVersionRow, row.version_id)
    offer = session.get_one(OfferRow, row.offer_id)
    is_shared = row.role == "shared"
    assert version.kind is not None
    return DiscountCode(
        code=row.code,
        kind=CodeKind(version.kind),
        value=version.value,
        currency=version.currency,
        title=offer.name,
        ends_at=row.ends_at,
        usage_limit=version.usage_limit if is_shared else 1,
        once_per_customer=version.once_per_customer and is_shared,
        minimum_subtotal=version.minimum_subtotal,
        email=row.email,
    )


def _still_ours(session: Session, task: Task) -> Sequence[OfferCodeRow]:
    statement = select(OfferCodeRow).where(col(OfferCodeRow.id).in_([row.id for row in task.rows]), col(OfferCodeRow.due_at) == task.lease)
    return session.scalars(statement.order_by(col(OfferCodeRow.id)).with_for_update().execution_options(populate_existing=True)).all()


def _is_told(session: Session, row: OfferCodeRow) -> bool:
    """Whether somebody knows this very code: it cannot get another name."""
    if row.grant_id is None:
        return False
    return session.get_one(GrantRow, row.grant_id, populate_existing=True).code == row.code


def _write(row: OfferCodeRow, outcome: Outcome, now: datetime) -> None:
    row.actual, row.changed_at, row.due_at = outcome.actual, now, now
    row.attempts = row.attempts if outcome.code is not None else 0
    for name in ("platform_id", "refusal", "wanted", "code"):
        if (value := getattr(outcome, name)) is not None:
            setattr(row, name, value)


def _tell_grant(session: Session, shop: ShopRow, row: OfferCodeRow, outcome: Outcome) -> None:
    """A grant that waited for this code has it, or gets another, or none; one that had it has it no more."""
    if row.grant_id is None:
        return
    grant = session.get_one(GrantRow, row.grant_id, populate_existing=True)
    if outcome.actual == "issued" and row.wanted == "issued":
        grants.make_live(session, shop, grant, row.code)
    elif outcome.actual == "refused" and grant.state == GrantState.PREPARING.value:
        grants.refuse_code(session, shop, grant, outcome.refusal or "refused")
    elif outcome.actual == "refused" and grant.state == GrantState.LIVE.value:
        grants.set_state(session, grant, GrantState.ENDED, GrantReason.CODE_DELETED)
        assert grant.id is not None
        grant_mails.cancel(session, [grant.id], GrantReason.CODE_DELETED.value)


def _log(session: Session, shop: ShopRow, task: Task, action: str, reason: str) -> None:
    about = task.first if len(task.rows) == 1 or task.model is None else task.model
    audit.write(session, SYSTEM, action, account_id=shop.account_id, shop_id=shop.id, object=about.public_id, reason=reason[:300] or None)


# Two lists, as each has an index of its own.
_NEXT = text(f"""
    select o.id from offer_codes o where o.id in (
        (select k.id from offer_codes k where k.shop_id = :shop and {IS_DUE} order by k.shop_id, k.due_at limit 500)
        union all select k.id from offer_codes k where k.shop_id = :shop and {IS_UNREAD}
    ) order by o.attempts, o.due_at, o.id limit 1 for update of o skip locked
""")
_HOLD_BACK = text(f"""
    update offer_codes set due_at = :until where id in (
        (select k.id from offer_codes k where k.shop_id = :shop and {IS_DUE} order by k.shop_id, k.due_at limit 10000)
        union all select k.id from offer_codes k where k.shop_id = :shop and {IS_UNREAD}
    )
""")
