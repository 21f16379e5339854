"""A shop's checkouts as lists: filtered, newest first, page by page, and all of them for an export. Reads only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from connector.rules.automations import CheckoutFacts
from connector.store.checkouts import facts_of

MOST_WORDS = 200


class ListedState(StrEnum):
    """What became of a checkout; the first that fits, in this order. The pages' words for it are made of the same facts."""

    RECOVERED = "recovered"
    PURCHASED = "purchased"
    CLOSED = "closed"
    NO_CONTACT = "no_contact"
    ABANDONED = "abandoned"
    CART = "cart"
    EMPTIED = "emptied"
    IMPORTED = "imported"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Chosen:
    """
    Which checkouts of a shop are wanted; what is empty chooses nothing.

    `words` begin an e-mail address, a name, or a number of the checkout. `since` and `until` (not included) bound its start.
    """

    state: ListedState | None = None
    words: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_everything(self) -> bool:
        """True if nothing was chosen."""
        return self == Chosen()


@dataclass(frozen=True, slots=True)
class ListedCheckout:
    """One checkout: its row, as the rules see it, its state, the written decision and the newest message, if there are any."""

    row: Any
    facts: CheckoutFacts
    state: ListedState
    reason: str | None
    message_state: str | None

    @property
    def public_id(self) -> str:
        """Its name in addresses, and the cursor of its list."""
        return str(self.row.public_id)


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list. `newer` and `older`: whether the list goes on there."""

    checkouts: tuple[ListedCheckout, ...]
    has_newer: bool
    has_older: bool


def list_checkouts(
    session: Session, shop_id: int, chosen: Chosen, *, before: str | None = None, after: str | None = None, limit: int
) -> ListPage:
    """
    One page, newest first: the first, or the one that goes on behind `before` or ends in front of `after` (public ids).

    A cursor that names nothing ends the list. A cart whose checkout is in the list as well is left out: it is the same purchase.
    """
    if after is not None:
        nearest = _select(session, shop_id, chosen, after, limit + 1, is_upward=True)
        return ListPage(tuple(reversed(nearest[:limit])), has_newer=len(nearest) > limit, has_older=bool(nearest))
    found = _select(session, shop_id, chosen, before, limit + 1)
    return ListPage(tuple(found[:limit]), has_newer=before is not None and bool(found), has_older=len(found) > limit)


def checkouts_behind(session: Session, shop_id: int, chosen: Chosen, before: str | None, limit: int) -> Sequence[ListedCheckout]:
    """The next `limit` checkouts of an export; call again with the last one's public id until none come."""
    return _select(session, shop_id, chosen, before, limit)


def _select(
    session: Session, shop_id: int, chosen: Chosen, cursor: str | None, limit: int, *, is_upward: bool = False
) -> list[ListedCheckout]:
    conditions = list(_conditions(chosen))
    if cursor is not None:
        sign = ">" if is_upward else "<"
        conditions.append(f"(c.created_at, c.id) {sign} (select b.created_at, b.id from checkouts b where {_CURSOR})")
    order = "asc" if is_upward else "desc"
    values = {
        "shop": shop_id,
        "cursor": cursor,
        "limit": limit,
        "state": chosen.state and chosen.state.value,
        "begins": f"\n{_words(chosen)}",
        "since": chosen.since,
        "until": chosen.until,
    }
    statement = _LIST.format(conditions=" and ".join(["true", *conditions]), order=order)
    rows = session.execute(text(statement), {name: value for name, value in values.items() if f":{name}" in statement})
    return [ListedCheckout(row, facts_of(row), ListedState(row.state), row.reason, row.message_state) for row in rows]


def _conditions(chosen: Chosen) -> Iterator[str]:
    if chosen.state is not None:
        yield f"{_STATE} = :state"
    if _words(chosen):
        yield _SEARCH
    if chosen.since is not None:
        yield "c.created_at >= :since"
    if chosen.until is not None:
        yield "c.created_at < :until"


def _words(chosen: Chosen) -> str:
    """What was typed, on one line."""
    return " ".join(chosen.words.split())[:MOST_WORDS]


_CURSOR = "b.shop_id = :shop and b.public_id = :cursor"
# One look through all that may begin like this, each on a line of its own: half the time of one comparison for each of them.
_SEARCH = r"""strpos(lower(
        E'\n' || coalesce(c.email, '') || E'\n' || coalesce(c.last_name, '') || E'\n' || coalesce(c.number, '')
        || E'\n' || coalesce(ltrim(c.number, '#'), '') || E'\n' || coalesce(c.first_name, '') || ' ' || coalesce(c.last_name, '')
    ), lower(:begins)) > 0"""
_STATE = """case
    when (c.converted_at is not null or c.completed_at is not null) and c.converted_at > c.abandoned_at then 'recovered'
    when c.converted_at is not null or c.completed_at is not null then 'purchased'
    when c.closed_at is not null or c.deleted_at is not null then 'closed'
    when c.email_norm is null then 'no_contact'
    when c.abandoned_at is not null then 'abandoned'
    when c.stage = 'cart' then 'cart'
    when c.line_count = 0 then 'emptied'
    when c.is_quiet then 'imported'
    else 'waiting' end"""
# What is shown beside the checkouts is looked up for those of this page only, and whether a cart has its checkout cart by cart: of an
# `exists` the planner may make a list of all checkouts that there are.
_LIST = f"""
    with page as materialized (
        select c.id, c.public_id, c.stage, c.number, c.platform_id, c.email, c.email_norm, c.first_name, c.last_name, c.currency,
               c.total, c.line_count, c.recovery_url, c.created_at, c.last_activity_at, c.abandoned_at, c.converted_at,
               c.completed_at, c.closed_at, c.deleted_at, c.is_quiet, {_STATE} as state
        from checkouts c
        where c.shop_id = :shop and {{conditions}}
          and (c.stage <> 'cart' or c.cart_token is null or (
            select k.id from checkouts k where k.shop_id = :shop and k.cart_token = c.cart_token and k.stage = 'checkout' limit 1) is null)
        order by c.created_at {{order}}, c.id {{order}} limit :limit
    )
    select p.*, d.reason, m.state message_state
    from page p
    left join automations a on a.shop_id = :shop and a.trigger = 'abandoned_checkout'
    left join decisions d on d.checkout_id = p.id and d.automation_id = a.id
    left join lateral (select state from messages where checkout_id = p.id order by id desc limit 1) m on true
    order by p.created_at {{order}}, p.id {{order}}
"""
