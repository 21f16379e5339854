"""What states and reasons of offers, grants and codes mean, in plain words: English, to be translated where they are shown."""

from collections.abc import Mapping

from connector.rules.discounts import Ineligible
from connector.rules.grants import Decision, GrantReason, GrantState
from connector.rules.offers import OfferState, Requirement, Suspension
from connector.web.language import N_

OFFER_STATES: Mapping[str, str] = {
    OfferState.DRAFT: N_("draft"),
    OfferState.ACTIVE: N_("active"),
    OfferState.SUSPENDED: N_("suspended"),
    OfferState.DEACTIVATED: N_("deactivated"),
    OfferState.DELETED: N_("deleted"),
}
OFFER_KINDS: Mapping[str, str] = {OfferState.ACTIVE: "good", OfferState.SUSPENDED: "bad", OfferState.DRAFT: "info"}

SUSPENSIONS: Mapping[str, str] = {
    Suspension.CODE_DELETED: N_("Its code is not in the store any more."),
    Suspension.CODE_EXPIRED: N_("Its code has expired."),
    Suspension.CODE_USED_UP: N_("Its code has been used as often as it may be."),
    Suspension.CODE_NOT_STARTED: N_("Its code is not valid yet."),
    Suspension.CODE_REFUSED: N_("The store does not make its code."),
    Suspension.UNSUPPORTED_TYPE: N_("Its code is not one that everybody can use."),
    Suspension.REQUIREMENTS: N_("The store lacks something that offers need."),
}
REQUIREMENTS: Mapping[str, str] = {
    Requirement.CONNECTION: N_("The store is not connected."),
    Requirement.SHOP_OPEN: N_("The store’s platform has closed it, or put it to rest."),
    Requirement.SCOPES: N_("The store has not granted us what discount codes need."),
    Requirement.STOREFRONT: N_("Shoppers cannot enter the store: it is behind a password, or says that it is coming soon."),
    Requirement.SENDER: N_("There is no way to send e-mail yet."),
}
INELIGIBLE: Mapping[str, str] = {
    Ineligible.MISSING: N_("The store has no such code."),
    Ineligible.EXPIRED: N_("It has expired, or was switched off."),
    Ineligible.SCHEDULED: N_("It is not valid yet."),
    Ineligible.USED_UP: N_("It has been used as often as it may be."),
    Ineligible.WRONG_KIND: N_("It is neither a percentage nor a fixed amount nor free shipping."),
    Ineligible.RESTRICTED_TO_CUSTOMERS: N_("It is for certain customers only."),
    Ineligible.RESTRICTED_TO_SEGMENTS: N_("It is for certain groups of customers only."),
    Ineligible.RESTRICTED_TO_MARKETS: N_("It is for certain countries or markets only."),
    Ineligible.RESTRICTED_TO_PRODUCTS: N_("It is for certain products or collections only."),
    Ineligible.RESTRICTED_TO_SUBSCRIPTIONS: N_("It is for subscriptions only."),
    Ineligible.RESTRICTED_TO_QUANTITY: N_("It asks for a certain number of products."),
    Ineligible.RESTRICTED_TO_EMAILS: N_("It is for certain e-mail addresses only."),
}

GRANT_STATES: Mapping[str, str] = {
    GrantState.PREPARING: N_("code is being made"),
    GrantState.LIVE: N_("not used yet"),
    GrantState.SUSPENDED: N_("taken back"),
    GrantState.USED: N_("used"),
    GrantState.ENDED: N_("over"),
}
GRANT_KINDS: Mapping[str, str] = {
    GrantState.PREPARING: "info",
    GrantState.LIVE: "info",
    GrantState.SUSPENDED: "warn",
    GrantState.USED: "good",
}
GRANT_REASONS: Mapping[str, str] = {
    GrantReason.ORDER_REFUNDED: N_("Its order was refunded"),
    GrantReason.ORDER_CANCELLED: N_("Its order was cancelled"),
    GrantReason.ORDER_DISPUTED: N_("The payment of its order is disputed"),
    GrantReason.ORDER_DELETED: N_("Its order was deleted"),
    GrantReason.ORDER_UNPAID: N_("The payment of its order was withdrawn"),
    GrantReason.HOLDS_OTHER: N_("The shopper holds another unused offer"),
    GrantReason.EXPIRED: N_("The code expired unused"),
    GrantReason.CODE_DELETED: N_("The code was deleted in the store"),
    GrantReason.CODE_USED_UP: N_("Others used the code up"),
    GrantReason.CODE_REFUSED: N_("The store made no code"),
    GrantReason.USED: N_("An order came with the code"),
    GrantReason.ERASED: N_("The shopper was erased, as the law asks"),
}
DECISIONS: Mapping[str, str] = {
    Decision.GRANTED: N_("The offer was given"),
    Decision.HOLDS_UNUSED_OFFER: N_("The shopper already holds an unused offer"),
    Decision.TEST_ORDER: N_("A test order"),
    Decision.ORDER_CANCELLED: N_("The order is cancelled"),
    Decision.ORDER_REFUNDED: N_("The order is refunded"),
    Decision.ORDER_DISPUTED: N_("The payment is disputed"),
    Decision.ORDER_DELETED: N_("The order is deleted"),
    Decision.PAID_BEFORE_ACTIVATION: N_("It was paid before the offer was published"),
    Decision.LEARNED_TOO_LATE: N_("We learned of it more than three days after it was paid"),
    Decision.OFFER_SUSPENDED: N_("The offer was suspended at that moment"),
    Decision.BELOW_MINIMUM: N_("The order came to less than the offer asks for"),
    Decision.TOO_MANY_INCENTIVES: N_("The shopper has used offers as often as you allow within a year"),
    Decision.NOT_IDENTIFIED: N_("Nobody knows whose order it is"),
}
EVENTS: Mapping[str, str] = {
    "created": N_("Created as a draft"),
    "changed": N_("Changed"),
    "published": N_("Published"),
    "suspended": N_("Suspended"),
    "resumed": N_("Active again"),
    "deactivated": N_("Deactivated"),
    "deleted": N_("Deleted"),
}
EVENT_KINDS: Mapping[str, str] = {"published": "good", "resumed": "good", "suspended": "bad", "deactivated": "warn", "deleted": "warn"}


def said(words: Mapping[str, str], word: str | None) -> str:
    """A word of ours in plain English, which may be translated; one that this version does not know keeps its own form."""
    return "" if word is None else words.get(word, word.replace("_", " "))


def why_suspended(reason: str | None, detail: str | None) -> tuple[str, ...]:
    """Why an offer cannot be given, as texts to be translated one by one: the general one, then what it was this time."""
    if reason is None:
        return ()
    if reason == Suspension.REQUIREMENTS and detail:
        return (said(REQUIREMENTS, detail),)
    first = said(SUSPENSIONS, reason)
    if not detail:
        return (first,)
    return (first, said(INELIGIBLE, detail) if reason == Suspension.UNSUPPORTED_TYPE else detail)
