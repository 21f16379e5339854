"""What is known of a Contact, in whatever order it was heard."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.rules.contacts import FIELDS, Saying, merge, recall, sayings
from tests.factories import T0, at

NAMES = st.sampled_from(["Anna", "ANNA", " Anna ", "", "  ", "Änna", None])
PHONES = st.sampled_from([(None, None), ("06 45 67 89 01", "+33645678901"), ("zz office", None), ("06 12 34 56 78", "+33612345678")])
RECORDS = st.tuples(st.integers(0, 3).map(at), NAMES, NAMES, PHONES)


def said(
    when: datetime, first: str | None = None, company: str | None = None, phone: tuple[str | None, str | None] = (None, None)
) -> list[Saying]:
    """What one record says."""
    return sayings(when, {"first_name": first, "company": company, "phone_raw": phone[0], "phone_e164": phone[1]})


def values(merged: dict[str, Saying]) -> dict[str, str]:
    """The values alone."""
    return {field: saying.value for field, saying in merged.items()}


@pytest.mark.spec("AC-47", "AC-48")
@pytest.mark.parametrize("silence", [None, "", "   "])
def test_silence_never_empties_a_known_field(silence: str | None) -> None:
    known = merge({}, sayings(T0, {"first_name": "Anna", "last_name": "Petit"}))

    assert merge(known, sayings(at(5), {"first_name": silence, "last_name": silence})) == known


@pytest.mark.spec("AC-47", "AC-48")
def test_a_newer_word_replaces_an_older_one_and_never_the_other_way() -> None:
    older, newer = sayings(T0, {"last_name": "Petit"}), sayings(at(5), {"last_name": "Grand"})

    assert values(merge(merge({}, older), newer)) == values(merge(merge({}, newer), older)) == {"last_name": "Grand"}


def test_a_phone_that_cannot_be_read_takes_its_e164_form_away() -> None:
    known = merge({}, said(T0, phone=("06 45 67 89 01", "+33645678901")))

    assert values(merge(known, said(at(1), phone=("office", None)))) == {"phone_raw": "office", "phone_e164": ""}


def test_of_two_phones_told_at_the_same_instant_both_columns_come_from_the_same_one() -> None:
    phones = [("06 45 67 89 01", "+33645678901"), ("zz office", None)]
    merged = values(merge({}, [saying for phone in phones for saying in said(T0, phone=phone)]))

    assert (merged["phone_raw"], merged["phone_e164"] or None) in phones


def test_what_was_kept_in_columns_weighs_as_much_as_when_it_was_heard() -> None:
    heard = merge({}, said(T0, "Anna", phone=("06 45 67 89 01", "+33645678901")))
    kept = recall(values(heard), {field: saying.at for field, saying in heard.items()})

    assert merge(kept, said(T0, phone=("02 office", None))) == heard
    assert values(merge(kept, said(T0, phone=("zz office", None))))["phone_e164"] == ""


@pytest.mark.spec("AC-47", "AC-48")
@given(records=st.lists(RECORDS, min_size=1, max_size=6), data=st.data())
def test_any_order_and_repetition_of_records_ends_in_the_same_contact(
    records: list[tuple[datetime, str | None, str | None, tuple[str | None, str | None]]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(records)) + data.draw(st.lists(st.sampled_from(records), max_size=4))
    one: dict[str, Saying] = {}
    other: dict[str, Saying] = {}
    for record in records:
        one = merge(one, said(*record))
    for record in shuffled:
        other = merge(other, said(*record))

    assert one == other
    assert ("phone_raw" in one) == ("phone_e164" in one)
    assert set(one) <= set(FIELDS)
