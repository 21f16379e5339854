"""The store's own discount codes in the editor of an offer: looked for, shown with what they are good for, chosen, or found taken."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from connector.codes import CodeState
from connector.errors import NotFound, Refused
from connector.messages.offer_words import gives, until
from connector.platforms import NotPermitted, PlatformError
from connector.rules.discounts import Ineligible, why_not
from connector.rules.zones import zone
from connector.store import codes, offer_browsing, offers
from connector.store.db import Session
from connector.store.offers import CodeUse
from connector.store.tables import ShopRow
from connector.web.auth import MemberAsk
from connector.web.language import N_
from connector.web.offer_phrases import INELIGIBLE, said
from connector.web.tables import read_text
from sync import offer_codes

NO_ANSWER = N_("The store did not answer. Please try again in a moment.")
NOT_ALLOWED = N_("The store does not let us see its discount codes. Connect it again and grant what is asked for.")
NO_CODES = N_("Discount codes of this store cannot be read.")
TAKEN = N_("The store already has a discount under the code {code}. Choose another name, or choose that code from the list.")
NO_SUCH_CODE = N_("The store has no code {code}.")
FOR_ONE = N_("The code {code} was made for one person of another offer.")
NOT_USABLE = N_("The code {code} cannot be used for an offer: {reasons}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CodeLine:
    """
    One code of the store, as the list shows it. `whys`: why it cannot be chosen; empty: it can. `warning`: where else it is used.
    """

    code: str
    title: str
    gives: str
    until: str
    limits: tuple[str, ...]
    used: str
    whys: tuple[str, ...]
    warning: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Picker:
    """
    What was found for some words. `is_asked`: somebody looked. `cursor`: where the next page begins, or empty. `problem`: why nothing
    can be shown.
    """

    is_asked: bool = False
    lines: tuple[CodeLine, ...] = ()
    cursor: str = ""
    problem: str = ""


NOTHING_ASKED = Picker()


def look_for(ask: MemberAsk, shop: ShopRow, words: str, cursor: str, chosen: str, now: datetime) -> Picker:
    """A page of the store's codes that fit some words; asks the store, with nothing held."""
    assert shop.id is not None
    try:
        page = offer_codes.search(ask.parts.services, shop.id, read_text(words), cursor or None)
    except (NotFound, PlatformError) as error:
        return Picker(is_asked=True, problem=ask.gettext(_why_silent(error)))
    found = [one for one in page.records if isinstance(one, CodeState)]
    with ask.transaction() as session:
        hidden = offer_browsing.codes_for_one(session, shop.id, [one.code for one in found])
    lines = tuple(_line(ask, shop, one, chosen, now) for one in found if one.code.lower() not in hidden)
    return Picker(is_asked=True, lines=lines, cursor=page.cursor or "")


def chosen_line(ask: MemberAsk, session: Session, shop: ShopRow, code: str, offer_id: int | None, now: datetime) -> tuple[CodeLine, ...]:
    """The code that an offer gives now, as it was read last."""
    assert shop.id is not None
    row = codes.find(session, shop.id, code) if code else None
    state = codes.to_state(row) if row else None
    if state is None:
        return ()
    use = offers.used_elsewhere(session, shop.id, code, offer_id)
    return (_line(ask, shop, state, code, now, use_warning(ask, use)),)


def choose(ask: MemberAsk, shop: ShopRow, code: str, now: datetime) -> CodeState:
    """
    A code of the merchant's, as the store has it at this moment; kept and watched from now on.

    One whose time is still to come may be chosen for a draft. Raises Refused with the reason (SH-09).
    """
    assert shop.id is not None
    with ask.transaction() as session:
        if offer_browsing.codes_for_one(session, shop.id, [code]):
            raise Refused(FOR_ONE, code=code)
    try:
        state = offer_codes.choose(ask.parts.services, shop.id, code)
    except (NotFound, PlatformError) as error:
        raise Refused(_why_silent(error)) from error
    if state is None:
        raise Refused(NO_SUCH_CODE, code=code)
    reasons = [reason for reason in why_not(state, now) if reason is not Ineligible.SCHEDULED]
    if reasons:
        raise Refused(NOT_USABLE, code=code, reasons=" ".join(ask.gettext(said(INELIGIBLE, reason)) for reason in reasons))
    return state


def check_free(ask: MemberAsk, shop: ShopRow, code: str) -> None:
    """Raises Refused if the store has this code already. A store that does not answer says so when the code is made."""
    assert shop.id is not None
    try:
        state = offer_codes.look_up(ask.parts.services, shop.id, code)
    except (NotFound, PlatformError) as error:
        log.warning("offer_codes.not_looked_up", shop_id=shop.id, error=type(error).__name__)
        return
    if state is not None:
        raise Refused(TAKEN, code=code)


def use_warning(ask: MemberAsk, use: CodeUse, *, with_orders: bool = True) -> str:
    """Where else a code is used (SH-11), in the reader's language; empty if nowhere."""
    texts = []
    if use.offers:
        texts.append(ask.gettext(N_("Another offer gives it too: %(names)s.")) % {"names": ", ".join(use.offers)})
    if with_orders and use.orders:
        text = ask.ngettext("%(num)d order came with it already.", "%(num)d orders came with it already.", use.orders)
        texts.append(text % {"num": use.orders})
    return " ".join(texts)


def _line(ask: MemberAsk, shop: ShopRow, state: CodeState, chosen: str, now: datetime, warning: str = "") -> CodeLine:
    return CodeLine(
        code=state.code,
        title="" if state.title == state.code else state.title or "",
        gives=gives(state.kind.value, state.value, state.currency or shop.currency, state.minimum_subtotal, ask.language),
        until=until(state.ends_at, zone(shop.timezone), ask.language),
        limits=tuple(_limits(ask, state)),
        used=ask.ngettext("used %(num)d time", "used %(num)d times", state.used) % {"num": state.used},
        whys=tuple(ask.gettext(said(INELIGIBLE, reason)) for reason in why_not(state, now)),
        warning=warning,
        is_chosen=state.code.lower() == chosen.lower(),
    )


def _limits(ask: MemberAsk, state: CodeState) -> Iterable[str]:
    if state.usage_limit is not None:
        yield ask.ngettext("%(num)d use in all", "%(num)d uses in all", state.usage_limit) % {"num": state.usage_limit}
    if state.once_per_customer:
        yield ask.gettext(N_("once per customer"))


def _why_silent(error: Exception) -> str:
    if isinstance(error, NotPermitted):
        return NOT_ALLOWED
    return NO_CODES if isinstance(error, NotFound) else NO_ANSWER
