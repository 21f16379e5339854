"""Whether an automation may be turned on."""

import pytest

from connector.errors import Refused
from connector.rules.activation import check_activation


@pytest.mark.spec("SQ-16")
@pytest.mark.parametrize(("email", "address"), [(None, None), ("", "  ")])
def test_a_shop_without_any_contact_details_cannot_activate_and_is_told_why(email: str | None, address: str | None) -> None:
    with pytest.raises(Refused, match="neither an e-mail nor a postal address"):
        check_activation(is_connected=True, can_send=True, contact_email=email, contact_address=address)


@pytest.mark.parametrize(("email", "address"), [("bonjour@demo.example", None), (None, "8 rue du Bac")])
def test_one_kind_of_contact_details_is_enough(email: str | None, address: str | None) -> None:
    check_activation(is_connected=True, can_send=True, contact_email=email, contact_address=address)


@pytest.mark.parametrize(("connected", "can_send", "words"), [(False, False, "not connected"), (True, False, "SMTP_URL")])
def test_a_shop_that_is_gone_or_mail_that_goes_nowhere_cannot_activate(connected: bool, can_send: bool, words: str) -> None:
    with pytest.raises(Refused, match=words):
        check_activation(is_connected=connected, can_send=can_send, contact_email="a@b.example", contact_address=None)
