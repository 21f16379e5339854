"""What the pages about privacy call things."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.web.language import N_

KINDS: Mapping[str, str] = {
    "data_request": N_("A shopper asks for their data"),
    "customer_redact": N_("Erase a shopper"),
    "shop_redact": N_("Erase the whole store"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of what is kept: the attribute of Disclosure, its heading, and the fields shown, in this order."""

    name: str
    title: str
    fields: tuple[str, ...]


_PERSON = ("first_name", "last_name", "company", "phone", "country", "language")
SECTIONS = (
    Section("customers", N_("Customer record"), ("platform_id", "email", *_PERSON, "created_at", "deleted_at")),
    Section("contacts", N_("Contact"), ("email", "first_name", "last_name", "company", "phone", "language")),
    Section(
        "checkouts",
        N_("Checkouts"),
        (
            *("number", "created_at", "completed_at", "abandoned_at", "converted_at", "email", "first_name", "last_name", "company"),
            *("phone", "typed_phone", "country", "language", "total", "shipping_method", "discount_codes", "accepts_email", "accepts_sms"),
        ),
    ),
    Section(
        "orders",
        N_("Orders"),
        ("number", "placed_at", "cancelled_at", "payment_state", "email", "first_name", "last_name", "phone", "country", "total"),
    ),
    Section("messages", N_("Messages"), ("channel", "address", "subject", "state", "queued_at", "handed_over_at", "clicked_at")),
    Section(
        "grants",
        N_("Offers"),
        (
            *("offer", "granted_at", "state", "reason", "code", "ends_at", "email", "first_name", "phone", "language", "opened_at"),
            "used_at",
        ),
    ),
    Section("grant_mails", N_("E-mails about offers"), ("address", "state", "reason", "queued_at", "handed_over_at", "clicked_at")),
    Section("grant_decisions", N_("Orders that were looked at for an offer"), ("number", "reason", "decided_at")),
    Section("offer_codes", N_("Codes that are good for this address only"), ("code", "email", "ends_at")),
    Section("consents", N_("Consents"), ("channel", "address", "state", "source", "at")),
    Section("suppressions", N_("On the list of those who get nothing"), ("channel", "address", "reason", "at")),
)
WORDS: Mapping[str, str] = {
    "platform_id": N_("Number in the store"),
    "email": N_("E-mail address"),
    "first_name": N_("First name"),
    "last_name": N_("Last name"),
    "company": N_("Company"),
    "phone": N_("Phone"),
    "typed_phone": N_("Phone typed in the checkout"),
    "country": N_("Country"),
    "language": N_("Language"),
    "created_at": N_("Began"),
    "deleted_at": N_("Deleted in the store"),
    "number": N_("Number"),
    "completed_at": N_("Completed"),
    "abandoned_at": N_("Left on"),
    "converted_at": N_("Bought"),
    "placed_at": N_("Placed"),
    "cancelled_at": N_("Cancelled"),
    "payment_state": N_("Payment"),
    "total": N_("Total"),
    "shipping_method": N_("Shipping"),
    "discount_codes": N_("Discount codes"),
    "accepts_email": N_("Agreed to e-mails"),
    "accepts_sms": N_("Agreed to texts"),
    "channel": N_("Channel"),
    "address": N_("Address"),
    "subject": N_("Subject"),
    "state": N_("State"),
    "queued_at": N_("Queued"),
    "handed_over_at": N_("Sent"),
    "clicked_at": N_("Link clicked"),
    "offer": N_("Offer"),
    "granted_at": N_("Given"),
    "code": N_("Code"),
    "ends_at": N_("Ends"),
    "opened_at": N_("Opened"),
    "used_at": N_("Used"),
    "decided_at": N_("Looked at"),
    "source": N_("Source"),
    "reason": N_("Reason"),
    "at": N_("Since"),
}


def state_of(*, is_open: bool, is_overdue: bool, is_opened: bool) -> tuple[str, str]:
    """How a request stands, and the kind of tag that says so."""
    if not is_open:
        return N_("settled"), "good"
    if is_overdue:
        return N_("overdue"), "bad"
    return (N_("looked at"), "info") if is_opened else (N_("to do"), "warn")
