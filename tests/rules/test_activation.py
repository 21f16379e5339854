"""Whether an automation may be turned on."""

from dataclasses import dataclass

import pytest

from connector.errors import Refused
from connector.rules.activation import check, facts


@dataclass
class FakeShop:
    """A shop with what this rule looks at."""

    state: str = "connected"
    contact_email: str | None = "bonjour@demo.example"
    contact_address: str | None = None


@pytest.mark.spec("SQ-16")
@pytest.mark.parametrize(("email", "address"), [(None, None), ("", "  ")])
def test_a_shop_without_any_contact_details_cannot_activate_and_is_told_why(email: str | None, address: str | None) -> None:
    with pytest.raises(Refused, match="neither an e-mail nor a postal address"):
        check(facts(FakeShop(contact_email=email, contact_address=address), can_send_mail=True))


@pytest.mark.parametrize(("email", "address"), [("bonjour@demo.example", None), (None, "8 rue du Bac")])
def test_one_kind_of_contact_details_is_enough(email: str | None, address: str | None) -> None:
    known = facts(FakeShop(contact_email=email, contact_address=address), can_send_mail=True)
    assert known.has_contact
    check(known)


@pytest.mark.parametrize(
    ("state", "can_send", "words"),
    [("uninstalled", False, "not connected"), ("needs_sign_in", True, "not connected"), ("connected", False, "SMTP_URL")],
)
def test_a_shop_that_is_gone_or_mail_that_goes_nowhere_cannot_activate(state: str, can_send: bool, words: str) -> None:
    with pytest.raises(Refused, match=words):
        check(facts(FakeShop(state=state), can_send_mail=can_send))
