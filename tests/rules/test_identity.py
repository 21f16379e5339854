"""Who is who: the phone of a person, and addresses in the form in which they are compared."""

import pytest

from connector.canonical import Phone
from connector.rules.identity import MAX_EMAIL, MAX_RAW_PHONE, choose_phone, fold_email, normalise_email, parse_phone


@pytest.mark.spec("AC-62")
@pytest.mark.parametrize(
    ("record", "default_address", "chosen"),
    [
        ("06 45 67 89 01", "06 12 34 56 78", "+33645678901"),
        (None, "06 12 34 56 78", "+33612345678"),
        ("  ", "06 12 34 56 78", "+33612345678"),
        (None, None, None),
    ],
)
def test_the_phone_is_the_records_else_the_default_addresss_else_none(
    record: str | None, default_address: str | None, chosen: str | None
) -> None:
    phone = choose_phone(record, default_address, "FR")

    assert (phone.e164 if phone else None) == chosen


@pytest.mark.spec("AC-62")
def test_an_unreadable_phone_on_the_record_is_still_the_chosen_one() -> None:
    assert choose_phone("call my office", "06 12 34 56 78", "FR") == Phone("call my office", None)


@pytest.mark.spec("AC-51")
@pytest.mark.parametrize(
    ("raw", "country", "e164"),
    [
        ("06 45 67 89 01", "fr", "+33645678901"),
        ("+33 6 45 67 89 01", None, "+33645678901"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("06 45 67 89 01", None, None),
        ("06 45", "FR", None),
        ("06 45 67 89 01", "ZZ", None),
    ],
)
def test_a_phone_is_normalised_by_its_country_or_kept_as_it_was_written(raw: str, country: str | None, e164: str | None) -> None:
    assert parse_phone(raw, country) == Phone(raw, e164)


def test_a_phone_of_absurd_length_is_cut() -> None:
    phone = parse_phone("0" * 500, "FR")

    assert phone == Phone("0" * MAX_RAW_PHONE, None)


@pytest.mark.spec("AC-49")
@pytest.mark.parametrize("raw", ["Anna.Petit@Example.org", "  anna.petit@example.org ", "ANNA.PETIT@EXAMPLE.ORG\n"])
def test_addresses_are_compared_without_case_and_blanks(raw: str) -> None:
    assert normalise_email(raw) == "anna.petit@example.org"


@pytest.mark.parametrize("raw", ["anna+shop@éxample.fr", "o'hara@sub.example.co.uk", "a_b-c@ex-ample.org"])
def test_unusual_addresses_are_addresses(raw: str) -> None:
    assert normalise_email(raw) == raw


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "anna",
        "anna@",
        "@example.org",
        "anna@exam",
        "anna@example.",
        "anna@.org",
        "anna@-example.org",
        "anna@example-.org",
        ".anna@example.org",
        "anna.@example.org",
        "an..na@example.org",
        "anna@example.org, eve@example.org",
        "anna@example.org\nBcc: eve@example.org",
        "anna petit@example.org",
        "a" * 65 + "@example.org",
    ],
)
def test_half_typed_and_forged_addresses_are_none(raw: str | None) -> None:
    assert normalise_email(raw) is None


def test_a_text_longer_than_any_address_is_none() -> None:
    longest = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.example.f"
    assert len(longest) == MAX_EMAIL
    assert normalise_email(longest) == longest
    assert normalise_email(longest + "g") is None


@pytest.mark.parametrize(
    ("email", "folded"),
    [
        ("anna.petit@example.org", "anna.petit@example.org"),
        ("  Anna.Petit@Example.ORG ", "anna.petit@example.org"),
        ("anna.petit+shop@example.org", "anna.petit@example.org"),
        ("anna.petit+shop+again@example.org", "anna.petit@example.org"),
        ("an.na.petit@gmail.com", "annapetit@gmail.com"),
        ("An.Na.Petit+sale@GoogleMail.com", "annapetit@gmail.com"),
        ("an.na@gmail.com.example", "an.na@gmail.com.example"),
        ("+shop@example.org", "+shop@example.org"),
        ("+shop@gmail.com", "+shop@gmail.com"),
        ("..@gmail.com", "..@gmail.com"),
    ],
)
def test_the_aliases_of_an_address_are_one_person(email: str, folded: str) -> None:
    assert fold_email(email) == folded
    assert fold_email(folded) == folded


def test_people_with_different_addresses_are_never_folded_into_one() -> None:
    addresses = [
        "anna@example.org",
        "annapetit@example.org",
        "anna.petit@example.org",
        "anna@example.com",
        "+a@example.org",
        "+b@example.org",
    ]
    assert len({fold_email(one) for one in addresses}) == len(addresses)
