"""Saving what a merchant wrote about an offer: checked against the rules and the store first, then written, then done in the store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from connector.errors import Refused
from connector.rules import offer_terms
from connector.rules.offer_terms import Terms
from connector.rules.offers import CodeMode, OfferState, lacking
from connector.rules.zones import zone
from connector.store import attempts, banners, offer_codes, offers
from connector.store.db import Session
from connector.store.offer_tables import OfferRow, OfferVersionRow
from connector.store.offers import OfferView
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk
from connector.web.language import N_
from connector.web.merchant.banners import remake
from connector.web.merchant.offer_codes import check_free, choose
from connector.web.merchant.offer_forms import ON, OfferFields, read_terms, with_code
from connector.web.offer_phrases import REQUIREMENTS, said, why_suspended
from sync.offer_codes import make_codes
from sync.offers import tend

PICTURE = "picture"
MOST_PICTURES, PICTURE_SECONDS = 60, 3_600
ORDERS_AT_ONCE = 20
"""So many waiting orders are looked at before the page answers; the worker sees to the rest."""

LACKS: Mapping[str, str] = {
    "headline": N_("a headline"),
    "code": N_("a discount code"),
    "kind": N_("what the code gives"),
    "value": N_("how much the code gives"),
    "end": N_("the day on which the code ends"),
    "future_end": N_("an end that is still to come"),
}
NOT_PUBLISHED = N_("The offer cannot be published yet. It lacks: {lacks}.")
NOT_POSSIBLE = N_("The offer cannot be published now. {reasons}")
NO_OFFERS_YET = N_("Offers of this store are not possible now. {reasons}")
SAME_NAME = N_("The store has the code {code} with other terms already. Give the code with the new terms a new name.")
TOO_MANY_PICTURES = N_("You have sent {most} pictures within an hour. Please try again later.")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be saved: checked, and known to the store where it must be."""

    name: str
    terms: Terms


def can_send_mail(ask: MemberAsk) -> bool:
    """Whether messages have somewhere to go."""
    return ask.parts.services.mail is not None


def keep_picture(ask: MemberAsk, shop: ShopRow, typed: OfferFields) -> OfferFields:
    """
    The fields with the picture that came along, if one did; it is kept whatever becomes of the rest, so that nobody sends it twice.

    Raises Refused with what is wrong with the file.
    """
    content = ask.files.get(PICTURE)
    if content is None:
        return replace(typed, banner="") if ask.fields.get("remove_banner") == ON else typed
    parts = ask.parts
    with parts.db.system_transaction("count pictures of a member") as session:
        is_allowed = attempts.take(
            session, parts.services.vault, PICTURE, ask.member.public_id, most=MOST_PICTURES, seconds=PICTURE_SECONDS
        )
    if not is_allowed:
        raise Refused(TOO_MANY_PICTURES, most=MOST_PICTURES)
    made = remake(content)
    with ask.transaction() as session:
        assert shop.id is not None
        row = banners.save_banner(
            session, shop.id, content=made.content, content_type=made.content_type, width=made.width, height=made.height
        )
        return replace(typed, banner=row.public_id)


def check(ask: MemberAsk, shop: ShopRow, typed: OfferFields, saved: OfferView | None, now: datetime) -> Draft:
    """What was typed as something that may be saved. Asks the store, with nothing held. Raises Refused (Mistyped where a field is)."""
    old = None if saved is None else offers.terms_of(saved.version)
    terms = read_terms(typed, shop.currency, zone(shop.timezone), old)
    can_lock = ask.parts.services.platforms[shop.platform].can.locks_codes_to_email
    offer_terms.check_terms(typed.name, terms, can_lock=can_lock)
    if terms.code is not None:
        terms = _with_store(ask, shop, terms, saved, old, now)
    if terms.fallback_code is not None and (old is None or old.fallback_code != terms.fallback_code):
        terms = replace(terms, fallback_code=choose(ask, shop, terms.fallback_code, now).code)
    with ask.transaction() as session:
        assert shop.id is not None
        banner_id = banners.find_banner(session, shop.id, typed.banner).id if typed.banner else None
    return Draft(typed.name, replace(terms, banner_id=banner_id))


def write(ask: MemberAsk, session: Session, shop: ShopRow, offer: OfferRow | None, draft: Draft, *, publishes: bool) -> OfferRow:
    """Write a draft, a change, and if wanted the publication. Raises Refused, after which nothing is written (the caller rolls back)."""
    if offer is None:
        lacks = lacking(offers.standing(shop, can_send_mail=can_send_mail(ask)))
        if lacks:
            raise Refused(NO_OFFERS_YET, reasons=" ".join(ask.gettext(said(REQUIREMENTS, one)) for one in lacks))
        offer = offers.create_draft(session, shop, draft.name, draft.terms, ask.who())
        version = offers.newest_version(session, offer)
    else:
        version = offers.save(session, shop, offer, draft.name, draft.terms, ask.who())
    if publishes:
        publish(ask, session, shop, offer)
    elif offer.state in (OfferState.ACTIVE.value, OfferState.SUSPENDED.value):
        want_code(session, shop, version)
    return offer


def publish(ask: MemberAsk, session: Session, shop: ShopRow, offer: OfferRow) -> None:
    """Publish an offer, and have its code made. Raises Refused with all that lacks, in the reader's language."""
    version = offers.newest_version(session, offer)
    (seen,) = offers.view(session, shop, [offer], can_send_mail=can_send_mail(ask))
    lacks = offer_terms.lacking(offers.terms_of(version), seen.now)
    if lacks:
        raise Refused(NOT_PUBLISHED, lacks=", ".join(ask.gettext(said(LACKS, word)) for word in lacks))
    if seen.problem is not None:
        reasons = why_suspended(seen.problem.reason.value, seen.problem.detail)
        raise Refused(NOT_POSSIBLE, reasons=" ".join(ask.gettext(text) for text in reasons))
    offers.publish(session, shop, offer, ask.who(), can_send_mail=can_send_mail(ask))
    want_code(session, shop, version)


def want_code(session: Session, shop: ShopRow, version: OfferVersionRow) -> None:
    """Have the one code of a shared offer made, if we make it."""
    assert shop.id is not None
    if version.is_ours and version.mode == CodeMode.SHARED.value and version.code is not None:
        offer_codes.want_shared(session, shop.id, version)


def settle(ask: MemberAsk, shop: ShopRow) -> None:
    """Have done at once what was just asked for, so that the page that follows tells how it went. Workers do what is left."""
    assert shop.id is not None
    make_codes(ask.parts.services, shop.id)
    tend(ask.parts.services, shop.id, ORDERS_AT_ONCE)


def _with_store(ask: MemberAsk, shop: ShopRow, terms: Terms, saved: OfferView | None, old: Terms | None, now: datetime) -> Terms:
    """The terms with what the store says of their code. A code that the offer gives already is not asked for anew."""
    assert terms.code is not None
    is_same = old is not None and old.code is not None and old.code.lower() == terms.code.lower() and old.is_ours == terms.is_ours
    if not terms.is_ours:
        state = choose(ask, shop, terms.code, now)
        return with_code(terms, state)
    if is_same and saved is not None and saved.state is not OfferState.DRAFT:
        assert old is not None
        if _gives(terms) != _gives(old):
            raise Refused(SAME_NAME, code=terms.code)
        return replace(terms, code=old.code)
    check_free(ask, shop, terms.code)
    return terms


def _gives(terms: Terms) -> tuple[object, ...]:
    """What a code was made with."""
    return (
        *(terms.kind, terms.value, terms.currency, terms.minimum_subtotal),
        *(terms.usage_limit, terms.once_per_customer, terms.ends_at),
    )
