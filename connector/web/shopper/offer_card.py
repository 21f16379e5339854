"""What a shopper is shown of an offer: on its page, in the JSON that a storefront shows, and in the merchant's preview."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.codes import CodeState
from connector.messages import offer_words
from connector.messages.phrases import phrase_language
from connector.rules.zones import zone
from connector.store.offer_tables import OfferVersionRow
from connector.store.tables import ShopRow
from connector.web.language import N_

WORDS: Mapping[str, str] = {
    "over_title": N_("This offer is over"),
    "over": N_("It was good for a limited time, or for a limited number of uses."),
    "used_title": N_("This offer has been used"),
    "used": N_("An order came with its code. Thank you!"),
    "preparing_title": N_("Your code is being made"),
    "preparing": N_("This takes a moment. Please open this page again in a minute."),
    "paused_title": N_("This offer cannot be used at the moment"),
    "paused": N_("The shop does not give it now. If you think that is a mistake, please write to the shop."),
}
_OVER = frozenset({"ended", "expired", "missing", "used_up"})


@dataclass(frozen=True, slots=True)
class OfferCard:
    """
    One offer as its shopper reads it. Empty texts are left out; `ends_at` is ISO 8601 in UTC.

    `use_url` leads to the store by way of us; without it there is no button. `banner_url` may be empty.
    """

    language: str
    shop_name: str
    headline: str
    paragraphs: tuple[str, ...]
    banner_url: str
    gives: str
    code: str
    until: str
    ends_at: str
    use_url: str


def card_of(
    shop: ShopRow,
    version: OfferVersionRow,
    *,
    state: CodeState | None,
    code: str,
    ends_at: datetime | None,
    language: str | None,
    banner_url: str = "",
    use_url: str = "",
) -> OfferCard:
    """
    An offer for its reader. `state`: its code as the store has it, whose terms count more than what was wanted once.

    `language`: of the shopper, as a BCP 47 tag; without one the shop's.
    """
    spoken = phrase_language(language or shop.language or "")
    terms = state or version
    currency = terms.currency or version.currency or shop.currency
    return OfferCard(
        language=spoken,
        shop_name=shop.name,
        headline=version.headline.strip() or shop.name,
        paragraphs=tuple(line for part in version.body.splitlines() if (line := part.strip())),
        banner_url=banner_url,
        gives=offer_words.gives(terms.kind, terms.value, currency, terms.minimum_subtotal, spoken),
        code=code,
        until=offer_words.until(ends_at, zone(shop.timezone), spoken) if ends_at else "",
        ends_at=ends_at.isoformat() if ends_at else "",
        use_url=use_url,
    )


def hidden_words(hidden: str) -> tuple[str, str]:
    """What a shopper reads where nothing is shown (any more): a title and a sentence, to be translated."""
    kind = "over" if hidden in _OVER else hidden if hidden in ("used", "preparing") else "paused"
    return WORDS[f"{kind}_title"], WORDS[kind]
