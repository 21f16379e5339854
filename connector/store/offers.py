"""
Post-purchase offers: their versions, their life, and how they stand at this moment.

Whoever changes one holds the shop's offer work first; everything that happens to an offer leaves an event, which nothing removes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.codes import CodeState
from connector.errors import NotFound, Refused
from connector.rules import offer_terms
from connector.rules.offer_terms import Terms as Terms
from connector.rules.offers import (
    CodeMode,
    OfferFacts,
    OfferState,
    Problem,
    ShopStanding,
    Storefront,
    Suspension,
    check_move,
    find_problem,
    forecast,
    is_given,
)
from connector.store import audit, notices, offer_work
from connector.store.audit import Actor
from connector.store.automation_tables import DiscountCodeRow
from connector.store.codes import to_state
from connector.store.db import app_now, wake_after_commit
from connector.store.ids import public_id
from connector.store.notices import Cause
from connector.store.offer_tables import OfferEventRow, OfferRow, OfferVersionRow
from connector.store.tables import ShopRow

CODE_SCOPES = frozenset({"read_discounts", "write_discounts", "read_orders"})
"""Of the scopes that a shop may withhold those without which no offer can be honoured or watched."""
CODES_JOB = "make_codes"
VALIDITY = timedelta(days=30)
"""Of a replacement whose model had no end."""


@dataclass(frozen=True, slots=True)
class OfferView:
    """
    An offer with its newest version, and how it stands at `now`. `code`: of a shared one, as its store had it when it was read last.

    `problem`: why it cannot be honoured, whether or not its suspension is written down yet. `is_being_made`: its code is wanted of the
    store and not there yet. `ends_at`: when its code ends, if it does.
    """

    offer: OfferRow
    version: OfferVersionRow
    code: CodeState | None
    problem: Problem | None
    is_being_made: bool
    ends_at: datetime | None
    now: datetime

    @property
    def state(self) -> OfferState:
        """The state as it is written."""
        return OfferState(self.offer.state)

    @property
    def is_given(self) -> bool:
        """Whether people are given, and shown, this offer at this moment."""
        return is_given(self.state, self.problem) and not self.is_being_made

    @property
    def ending_key(self) -> str:
        """What tells this end of this offer from all others: owners are told of each once."""
        return f"{self.offer.public_id} {self.ends_at.isoformat() if self.ends_at else ''}"

    @property
    def stops_at(self) -> datetime | None:
        """When it will stop by itself, if that is near (NH-18)."""
        return forecast(self.state, self.ends_at, self.now)


@dataclass(frozen=True, slots=True)
class CodeUse:
    """Where a code is used beside one offer: names of other offers, and how many orders came with it (SH-11)."""

    offers: tuple[str, ...]
    orders: int


def standing(shop: ShopRow, *, can_send_mail: bool) -> ShopStanding:
    """What of a shop its offers depend on."""
    return ShopStanding(
        is_connected=shop.state == "connected",
        lacks_scopes=tuple(sorted(CODE_SCOPES.intersection(shop.missing_scopes))),
        storefront=Storefront(shop.storefront),
        can_send_mail=can_send_mail,
    )


def list_offers(session: Session, shop: ShopRow, *, can_send_mail: bool, with_deleted: bool = False) -> list[OfferView]:
    """The offers of a shop, newest first."""
    statement = select(OfferRow).where(col(OfferRow.shop_id) == shop.id).order_by(col(OfferRow.id).desc())
    if not with_deleted:
        statement = statement.where(col(OfferRow.state) != OfferState.DELETED.value)
    return view(session, shop, session.scalars(statement.execution_options(populate_existing=True)).all(), can_send_mail=can_send_mail)


def get_offer(
    session: Session, shop: ShopRow, public_id: str, *, can_send_mail: bool, lock: bool = False, with_deleted: bool = False
) -> OfferView:
    """One offer of a shop. With `lock` nobody else decides about the shop's offers until the transaction ends. Raises NotFound."""
    assert shop.id is not None
    if lock:
        offer_work.hold(session, shop.id)
    statement = select(OfferRow).where(col(OfferRow.shop_id) == shop.id, col(OfferRow.public_id) == public_id)
    row = session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if row is None or (row.state == OfferState.DELETED.value and not with_deleted):
        raise NotFound(f"the shop has no offer {public_id}")
    return view(session, shop, [row], can_send_mail=can_send_mail)[0]


def view(session: Session, shop: ShopRow, rows: Sequence[OfferRow], *, can_send_mail: bool) -> list[OfferView]:
    """How these offers of one shop stand now."""
    now, facts = app_now(session), standing(shop, can_send_mail=can_send_mail)
    newest = _newest_versions(session, [row.id for row in rows if row.id is not None])
    states = code_states(session, shop, [version.code for version in newest.values() if version.code])
    made = _made(session, shop, list(newest.values()))
    views: list[OfferView] = []
    for row in rows:
        assert row.id is not None
        version = newest[row.id]
        assert version.id is not None
        is_shared = version.mode == CodeMode.SHARED.value
        code = states.get(version.code.lower()) if is_shared and version.code else None
        actual, refusal = made.get((row.id, version.code.lower() if is_shared and version.code else None), ("none", None))
        is_being_made = is_shared and version.is_ours and actual == "none"
        known = OfferFacts(
            state=OfferState(row.state),
            reason=Suspension(row.reason) if row.reason else None,
            mode=CodeMode(version.mode),
            # What the store says of its code is newer than what we asked for.
            ends_at=version.ends_at if code is None and (version.is_ours or not is_shared) else None,
            is_being_made=is_being_made,
            refusal=refusal,
        )
        problem = find_problem(known, code, facts, now)
        views.append(OfferView(row, version, code, problem, is_being_made, known.ends_at or (code.ends_at if code else None), now))
    return views


def code_states(session: Session, shop: ShopRow, codes: Sequence[str]) -> dict[str, CodeState | None]:
    """By lower-cased code: as the store had it when it was read last, None for one that is deleted. Those never read are missing."""
    wanted = sorted({code.lower() for code in codes})
    if not wanted:
        return {}
    statement = select(DiscountCodeRow).where(col(DiscountCodeRow.shop_id) == shop.id, col(DiscountCodeRow.code_key).in_(wanted))
    return {row.code.lower(): to_state(row) for row in session.scalars(statement.execution_options(populate_existing=True))}


def create_draft(session: Session, shop: ShopRow, name: str, terms: Terms, actor: Actor) -> OfferRow:
    """A new offer that nobody is given yet (SH-16). The caller has checked the terms."""
    assert shop.id is not None
    now = app_now(session)
    row = OfferRow(public_id=public_id("ofr"), shop_id=shop.id, name=name.strip(), created_at=now, state_at=now)
    session.add(row)
    session.flush()
    assert row.id is not None
    session.add(_version_row(row, terms, now))
    session.flush()
    note_event(session, row, actor, "created", None)
    _audit(session, shop, row, actor, "offer.created")
    return row


def save(session: Session, shop: ShopRow, offer: OfferRow, name: str, terms: Terms, actor: Actor) -> OfferVersionRow:
    """
    Change an offer. A draft in place; any other gets a new version, which only new recipients see (SH-12, SH-24). Checked by the caller.

    A suspended offer is looked at again: if what it gives now is good, it is active again (SH-33).
    """
    assert shop.id is not None
    offer_work.hold(session, shop.id)
    now, held = app_now(session), newest_version(session, offer)
    offer.name = name.strip()
    if offer.state == OfferState.DRAFT.value:
        for field, value in asdict(terms).items():
            setattr(held, field, value)
        held.at = now
    elif terms_of(held) != terms:
        offer.version += 1
        held = _version_row(offer, terms, now)
        session.add(held)
    session.flush()
    note_event(session, offer, actor, "changed", OfferState(offer.state))
    _audit(session, shop, offer, actor, "offer.changed")
    if offer.state == OfferState.SUSPENDED.value:
        offer_work.look_again(session, shop.id)
    return held


def publish(session: Session, shop: ShopRow, offer: OfferRow, actor: Actor, *, can_send_mail: bool) -> None:
    """
    From now on paid orders may earn it. Raises Refused, naming all that lacks: terms, a good code, the store's own requirements.

    A code of ours need not be there yet: it is made, and nobody is given the offer before.
    """
    assert shop.id is not None
    offer_work.begin(session, shop.id)
    offer_work.hold(session, shop.id)
    if offer.state == OfferState.ACTIVE.value:
        return
    check_move(OfferState(offer.state), OfferState.ACTIVE)
    (seen,) = view(session, shop, [offer], can_send_mail=can_send_mail)
    lacks = list(offer_terms.lacking(terms_of(seen.version), seen.now))
    if not lacks and seen.problem is not None:
        lacks = [f"{seen.problem.reason.value} {seen.problem.detail}".strip()]
    if lacks:
        raise Refused("The offer cannot be published yet: {lacks}", lacks=", ".join(lacks))
    move(session, shop, offer, OfferState.ACTIVE, actor, "published")
    offer.activated_at = seen.now
    session.flush()
    offer_work.look_again(session, shop.id)


def deactivate(session: Session, shop: ShopRow, offer: OfferRow, actor: Actor) -> None:
    """Nobody is given or shown it any more; codes that people hold stay as they are (SH-23)."""
    assert shop.id is not None
    offer_work.hold(session, shop.id)
    if offer.state != OfferState.DEACTIVATED.value:
        move(session, shop, offer, OfferState.DEACTIVATED, actor, "deactivated")
        offer_work.look_again(session, shop.id)


def delete(session: Session, shop: ShopRow, offer: OfferRow, actor: Actor) -> None:
    """It goes from the merchant's pages with its numbers (SH-26); what happened is kept, and codes stay as they are (SH-23)."""
    assert shop.id is not None
    offer_work.hold(session, shop.id)
    if offer.state != OfferState.DELETED.value:
        move(session, shop, offer, OfferState.DELETED, actor, "deleted")
        offer_work.look_again(session, shop.id)


def move(
    session: Session, shop: ShopRow, offer: OfferRow, to: OfferState, actor: Actor, action: str, problem: Problem | None = None
) -> OfferEventRow:
    """Write one step in an offer's life. The caller holds the shop's offer work. Raises Refused for a step that there is not."""
    before = OfferState(offer.state)
    check_move(before, to)
    if before is OfferState.SUSPENDED:
        notices.settle(session, shop.account_id, Cause.OFFER_SUSPENDED, offer.public_id)
    offer.state, offer.state_at = to.value, app_now(session)
    offer.reason = problem.reason.value if problem else None
    offer.detail = (problem.detail or None) if problem else None
    session.flush()
    _audit(session, shop, offer, actor, f"offer.{action}", reason=offer.reason)
    return note_event(session, offer, actor, action, before)


def note_event(session: Session, offer: OfferRow, actor: Actor, action: str, before: OfferState | None) -> OfferEventRow:
    """Write what happened to an offer."""
    assert offer.id is not None
    event = OfferEventRow(
        public_id=public_id("oev"),
        shop_id=offer.shop_id,
        offer_id=offer.id,
        at=app_now(session),
        actor=actor.name,
        action=action,
        from_state=before.value if before else None,
        to_state=offer.state,
        reason=offer.reason,
        detail=offer.detail,
        version=offer.version,
    )
    session.add(event)
    session.flush()
    return event


def settle_endings(session: Session, shop: ShopRow, but: Sequence[str]) -> None:
    """What owners were told of ends that are not the end of an offer of this shop any more is settled. `but`: see `ending_key`."""
    statement = text("""
        update notices set settled_at = app_now()
        where account_id = :account and shop_id = :shop and cause = :cause and settled_at is null and cause_key <> all(:but)
    """)
    values = {"account": shop.account_id, "shop": shop.id, "cause": Cause.OFFER_ENDING.value, "but": list(but)}
    session.execute(statement, values)


def list_events(session: Session, offer_id: int) -> Sequence[OfferEventRow]:
    """Everything that happened to an offer, newest first."""
    return session.scalars(
        select(OfferEventRow).where(col(OfferEventRow.offer_id) == offer_id).order_by(col(OfferEventRow.id).desc())
    ).all()


def newest_version(session: Session, offer: OfferRow) -> OfferVersionRow:
    """What new recipients get."""
    statement = select(OfferVersionRow).where(col(OfferVersionRow.offer_id) == offer.id, col(OfferVersionRow.version) == offer.version)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def list_versions(session: Session, offer_id: int) -> Sequence[OfferVersionRow]:
    """All versions of an offer, newest first."""
    statement = select(OfferVersionRow).where(col(OfferVersionRow.offer_id) == offer_id)
    return session.scalars(statement.order_by(col(OfferVersionRow.version).desc())).all()


def terms_of(version: OfferVersionRow) -> Terms:
    """A version as an editor shows it."""
    values = {field: getattr(version, field) for field in Terms.__dataclass_fields__}
    return Terms(**values | {"mode": CodeMode(version.mode), "kind": offer_terms.kind_of(version.kind)})


def replacement(seen: OfferView, code: str, now: datetime) -> Terms:
    """The same offer with a new code of ours under this name: same terms, and valid from now on for as long as the old one was."""
    terms, old = terms_of(seen.version), seen.code
    return offer_terms.renew(terms, code, now, began_at=(old.starts_at if old else None) or seen.version.at, validity=VALIDITY)


def used_elsewhere(session: Session, shop_id: int, code: str, offer_id: int | None) -> CodeUse:
    """Where else a code is, or was, used (SH-11)."""
    names = text("""
        select distinct o.name from offers o join offer_versions v on v.offer_id = o.id
        where o.shop_id = :shop and o.state <> 'deleted' and lower(v.code) = lower(:code)
          and (cast(:offer as bigint) is null or o.id <> :offer) order by 1
    """)
    orders = text("""
        select count(*) from orders where shop_id = :shop and discount_codes <> '{}'
          and exists (select 1 from unnest(discount_codes) c where lower(c) = lower(:code))
    """)
    values = {"shop": shop_id, "code": code.strip(), "offer": offer_id}
    found = session.execute(names, values).scalars()
    return CodeUse(tuple(found), session.execute(orders, values).scalar_one())


def ring_codes(session: Session, shop_id: int) -> None:
    """Have what is wanted of the store done."""
    wake_after_commit(session, CODES_JOB, shop_id)


def _newest_versions(session: Session, offer_ids: Sequence[int]) -> dict[int, OfferVersionRow]:
    statement = select(OfferVersionRow).join(
        OfferRow, (col(OfferRow.id) == col(OfferVersionRow.offer_id)) & (col(OfferRow.version) == col(OfferVersionRow.version))
    )
    found = session.scalars(statement.where(col(OfferRow.id).in_(offer_ids)).execution_options(populate_existing=True))
    return {version.offer_id: version for version in found}


def _made(session: Session, shop: ShopRow, versions: Sequence[OfferVersionRow]) -> dict[tuple[int, str | None], tuple[str, str | None]]:
    """
    What the store made of the codes that these versions give: the state, and why it refused for good. By offer and lower-cased code,
    which is None for the newest series of unique ones. A shared code outlives the version for which it was made.
    """
    statement = text("""
        select distinct on (offer_id, role, case when role = 'shared' then code_key end)
               offer_id, case when role = 'shared' then code_key end code, actual, refusal
        from offer_codes
        where shop_id = :shop and offer_id = any(:offers) and (role = 'shared' or (role = 'model' and version_id = any(:versions)))
        order by offer_id, role, case when role = 'shared' then code_key end, id desc
    """)
    values = {"shop": shop.id, "offers": [one.offer_id for one in versions], "versions": [one.id for one in versions]}
    rows = session.execute(statement, values)
    refused = "refused"
    return {(row.offer_id, row.code): (row.actual, (row.refusal or refused) if row.actual == refused else None) for row in rows}


def _version_row(offer: OfferRow, terms: Terms, now: datetime) -> OfferVersionRow:
    assert offer.id is not None
    return OfferVersionRow(shop_id=offer.shop_id, offer_id=offer.id, version=offer.version, at=now, **asdict(terms))


def _audit(session: Session, shop: ShopRow, offer: OfferRow, actor: Actor, action: str, reason: str | None = None) -> None:
    audit.write(session, actor, action, account_id=shop.account_id, shop_id=shop.id, object=offer.public_id, reason=reason)
