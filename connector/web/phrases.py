"""What our reasons and states mean, in plain words: English, to be translated where they are shown."""

from collections.abc import Mapping

from connector.rules.automations import Reason
from connector.web.language import N_

REASONS: Mapping[str, str] = {
    Reason.WAITING: N_("The shopper may still finish: the delay has not passed"),
    Reason.LEARNED_BY_SYNC: N_("We learned of it only by reading the store again: no reminder goes out for what it did not tell in time"),
    Reason.NOT_IDENTIFIED: N_("No e-mail address is known"),
    Reason.NOT_AT_CHECKOUT: N_("A cart only: the checkout page was never reached"),
    Reason.EMPTIED: N_("The shopper emptied the cart"),
    Reason.PURCHASED: N_("An order was placed"),
    Reason.CLOSED: N_("The store closed or deleted the checkout"),
    Reason.ABANDONED_BEFORE_ACTIVATION: N_("It was abandoned before the automation was turned on"),
    Reason.AUTOMATION_OFF: N_("The automation is off"),
    Reason.SUPPRESSED: N_("The shopper unsubscribed, or the address cannot be reached"),
    Reason.SHOP_DISCONNECTED: N_("The shop is not connected"),
    Reason.NO_RECOVERY_LINK: N_("The store gave no link back to the checkout"),
    Reason.SOLD_OUT: N_("Nothing of it can be bought any more"),
    Reason.STORE_ELSEWHERE: N_("Another address speaks in the store’s name: we wait until the store itself answers"),
    Reason.STORE_SILENT: N_("The store does not answer: we ask again in a minute"),
    Reason.SHOPPER_ACTIVE: N_("The shopper came back: the delay counts anew"),
    Reason.ENROLLED: N_("Abandoned: a reminder is queued"),
    Reason.SENDING: N_("The reminder is being handed over"),
    Reason.SENT: N_("The reminder was sent"),
    Reason.RETRYING: N_("The mail server refused for now: it is tried again"),
    Reason.REFUSED: N_("The mail server refused the reminder for good"),
    Reason.NOT_COMPOSED: N_("The reminder could not be written"),
    Reason.UNKNOWN_OUTCOME: N_("Nobody knows whether the reminder arrived; it is not repeated"),
}
MESSAGE_STATES: Mapping[str, str] = {
    "queued": N_("queued"),
    "sending": N_("being sent"),
    "sent": N_("sent"),
    "refused": N_("refused"),
    "unknown": N_("outcome unknown"),
    "cancelled": N_("cancelled"),
}
DELIVERY_STATES: Mapping[str, str] = {
    "pending": N_("waiting"),
    "applied": N_("applied"),
    "no_meaning_yet": N_("kept, without meaning to us"),
    "after_uninstall": N_("came after the uninstall"),
    "quarantined": N_("quarantined"),
}
CONVERTED_BY: Mapping[str, str] = {
    "checkout_token": N_("the checkout’s token"),
    "cart_token": N_("the cart’s token"),
    "person": N_("the same person"),
}


def reason_text(reason: str | None) -> str:
    """A reason in plain English, which may be translated; one that this version does not know keeps its own word."""
    return "" if reason is None else REASONS.get(reason, reason.replace("_", " "))
