"""Masked personal data can be recognised by who knows it, and teaches nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.web.support.masks import masked_email, masked_phone


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("anna@example.org", "a•••@e•••.org"),
        ("a@b.co.uk", "a•••@b•••.uk"),
        (" Anna@Example.Org ", "A•••@E•••.Org"),
        ("anna@localhost", "a•••@l•••"),
        ("anna", "•••"),
        ("@example.org", "•••"),
        ("anna@", "•••"),
        ("", ""),
        (None, ""),
    ],
)
def test_of_an_address_the_first_signs_are_left(address: str | None, masked: str) -> None:
    assert masked_email(address) == masked


@pytest.mark.parametrize(
    ("number", "masked"),
    [("06 45 67 89 01", "•••01"), ("+33645678901", "•••01"), ("12345", "•••"), ("call me", "•••"), ("", ""), (None, "")],
)
def test_of_a_number_the_last_two_digits_are_left(number: str | None, masked: str) -> None:
    assert masked_phone(number) == masked


@given(st.from_regex(r"[a-z]{4,20}@[a-z]{4,20}\.(?:org|example)", fullmatch=True))
def test_nothing_else_of_an_address_is_shown(address: str) -> None:
    local, _, host = address.partition("@")
    masked = masked_email(address)
    assert local not in masked
    assert host.partition(".")[0] not in masked
