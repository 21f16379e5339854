"""
The outside observers of the demo's second day: mails at the sink, orders and codes in the stores, links of shoppers; then our rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from connector.cli.demo.offers import CODE, NAME, STATES, Buyer, OfferLife
from connector.store import observed
from connector.store.db import Session
from connector.store.observed import WrittenGrant, WrittenOffer
from integrations.sandbox.mail_catcher import CaughtMail


@dataclass(frozen=True, slots=True)
class SeenBuyer:
    """What became of one buyer: mails at the sink, orders in the store, and our account of what they were given."""

    buyer: Buyer
    mails: int
    orders: int
    code: str
    state: str
    problems: list[str]


@dataclass(frozen=True, slots=True)
class SeenOffer:
    """What became of one store's offer: its codes there, letters to owners about it, and all that happened to it by our rows."""

    store: str
    codes: list[str]
    letters: int
    actions: tuple[str, ...]
    problems: list[str]


def observe_buyers(session: Session, lives: Sequence[OfferLife], mails: Sequence[CaughtMail]) -> list[SeenBuyer]:
    """Everybody of the second day."""
    written = observed.grants(session)
    return [_buyer(life, buyer, mails, written) for life in lives for buyer in life.buyers]


def observe_offers(session: Session, lives: Sequence[OfferLife], mails: Sequence[CaughtMail]) -> list[SeenOffer]:
    """Both offers."""
    written, owners = observed.offers(session), set(observed.owners(session))
    letters = [mail for mail in mails if owners.intersection(one.lower() for one in mail.recipients)]
    return [_offer(life, letters, written) for life in lives]


def _buyer(life: OfferLife, buyer: Buyer, mails: Sequence[CaughtMail], written: Sequence[WrittenGrant]) -> SeenBuyer:
    got = [mail for mail in mails if buyer.email in mail.recipients]
    orders = life.till.orders_with(buyer.email)
    ours = [one for one in written if (one.platform, one.email) == (buyer.store, buyer.email)]
    promised = life.codes[1] if buyer is life.hana and len(life.codes) > 1 else CODE
    problems = []
    if len(got) != 1:
        problems.append(f"{len(got)} mails instead of 1")
    elif promised.lower() not in got[0].html.lower():
        problems.append(f"the mail does not hold the code {promised}")
    if len(orders) != buyer.orders:
        problems.append(f"{len(orders)} orders instead of {buyer.orders}")
    if sum(_names(codes, promised) for codes in orders) != buyer.uses:
        problems.append(f"the store has the code in {orders}, not in {buyer.uses} of them")
    if [(one.state, one.reason or "") for one in ours] != [(buyer.state, buyer.reason)]:
        problems.append(f"our rows say {[(one.state, one.reason) for one in ours]}, not {buyer.state} {buyer.reason}")
    if [one.code for one in ours if not _names((promised,), one.code or "")]:
        problems.append(f"our rows have another code than {promised}")
    expected = {life.gil.name: [200, 410], life.farah.name: [200]}.get(buyer.name, [])
    if buyer.statuses != expected:
        problems.append(f"the link was answered with {buyer.statuses}, not {expected}")
    state = ours[-1].state if ours else "none"
    return SeenBuyer(buyer, len(got), len(orders), (ours[-1].code if ours else "") or "", state, problems)


def _offer(life: OfferLife, letters: Sequence[CaughtMail], written: Sequence[WrittenOffer]) -> SeenOffer:
    path = life.path.rpartition("/")[2]
    about = [mail for mail in letters if path and path in mail.html]
    ours = [one for one in written if one.platform == life.till.name]
    codes, problems = life.till.codes(), []
    if len(about) != 1:
        problems.append(f"{len(about)} letters to the owner instead of 1")
    if _names(codes, CODE) or not life.codes[1:] or not _names(codes, life.codes[1]):
        problems.append(f"the store has the codes {codes}")
    if [(one.name, one.state) for one in ours] != [(NAME, "active")]:
        problems.append(f"our rows say {[(one.name, one.state) for one in ours]}")
    actions = ours[0].actions if ours else ()
    if actions != STATES:
        problems.append(f"what happened to it is {actions}, not {STATES}")
    return SeenOffer(life.till.name, codes, len(about), actions, problems)


def _names(codes: Sequence[str], code: str) -> bool:
    return code.lower() in [one.lower() for one in codes]
