"""What differences show of a record before a reason was given: nothing that names a person, or opens or gives something."""

from connector.canonical import Resource
from connector.web.support.masks import DOTS, masked_email, masked_phone
from connector.web.sync_phrases import FIELDS

HIDDEN = frozenset(
    {
        "cart_token",
        "checkout_phone",
        "checkout_token",
        "code",
        "company",
        "discount_codes",
        "email",
        "first_name",
        "last_name",
        "phone",
        "recovery_url",
        "token",
    }
)
"""Fields that name a person, or open or give something: shown in full only to those who may see that, for a reason."""
PHONES = ("phone", "checkout_phone")
CODES = ("code", "discount_codes")
"""Shown by their ends: a code of one's own is as good as money."""
WHETHER = ("yes", "no")
"""All that is compared of a link back: stores sign theirs anew each time they are asked."""
LEAST_SIGNS = 8
"""A code must be longer for its end to be shown."""


def shown_value(name: str, value: str | None, kind: str) -> str:
    """A value of a kind of record for those who may not see who it is; None is a dash. What is not known to be harmless is hidden."""
    field = name.partition("[")[0].partition(".")[0]
    if value is None or value == "":
        return "—"
    if field == "recovery_url" and value in WHETHER:
        return value
    if field == "email":
        return masked_email(value)
    if field in PHONES:
        return masked_phone(value)
    if field in CODES or (field == "title" and kind == Resource.DISCOUNT_CODE):
        return DOTS + (value[-3:] if len(value) > LEAST_SIGNS else "")
    return DOTS if field in HIDDEN or field not in FIELDS else value
