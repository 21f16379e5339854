"""What our reasons and states mean, in plain words."""

from collections.abc import Mapping

from connector.rules.automations import Reason

REASONS: Mapping[str, str] = {
    Reason.WAITING: "The shopper may still finish: the delay has not passed",
    Reason.NOT_IDENTIFIED: "No e-mail address is known",
    Reason.NOT_AT_CHECKOUT: "A cart only: the checkout page was never reached",
    Reason.EMPTIED: "The shopper emptied the cart",
    Reason.PURCHASED: "An order was placed",
    Reason.CLOSED: "The store closed or deleted the checkout",
    Reason.ABANDONED_BEFORE_ACTIVATION: "It was abandoned before the automation was turned on",
    Reason.AUTOMATION_OFF: "The automation is off",
    Reason.SUPPRESSED: "The shopper unsubscribed, or the address cannot be reached",
    Reason.SHOP_DISCONNECTED: "The shop is not connected",
    Reason.NO_RECOVERY_LINK: "The store gave no link back to the checkout",
    Reason.SHOPPER_ACTIVE: "The shopper came back: the delay counts anew",
    Reason.ENROLLED: "Abandoned: a reminder is queued",
    Reason.SENDING: "The reminder is being handed over",
    Reason.SENT: "The reminder was sent",
    Reason.RETRYING: "The mail server refused for now: it is tried again",
    Reason.REFUSED: "The mail server refused the reminder for good",
    Reason.NOT_COMPOSED: "The reminder could not be written",
    Reason.UNKNOWN_OUTCOME: "Nobody knows whether the reminder arrived; it is not repeated",
}
MESSAGE_STATES: Mapping[str, str] = {
    "queued": "queued",
    "sending": "being sent",
    "sent": "sent",
    "refused": "refused",
    "unknown": "outcome unknown",
    "cancelled": "cancelled",
}
DELIVERY_STATES: Mapping[str, str] = {
    "pending": "waiting",
    "applied": "applied",
    "no_meaning_yet": "kept, without meaning to us",
    "after_uninstall": "came after the uninstall",
    "quarantined": "quarantined",
}
CONVERTED_BY: Mapping[str, str] = {"checkout_token": "the checkout’s token", "cart_token": "the cart’s token", "person": "the same person"}


def reason_text(reason: str | None) -> str:
    """A reason in plain words; one that this version does not know keeps its own."""
    return "" if reason is None else REASONS.get(reason, reason.replace("_", " "))
