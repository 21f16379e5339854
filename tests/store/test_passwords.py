"""Passwords: slow to try, never kept."""

import pytest

from connector.store.passwords import hash_password, is_password, spare_hash

GOOD = "correct horse battery"


def test_a_password_fits_its_hash_and_no_other_does() -> None:
    hashed = hash_password(GOOD)

    assert is_password(GOOD, hashed)
    assert not is_password(GOOD + " ", hashed)
    assert not is_password("", hashed)
    assert not is_password(GOOD, hash_password("another password"))


def test_the_hash_is_argon2id_as_strong_as_owasp_asks_for_and_salted() -> None:
    assert hash_password(GOOD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password(GOOD) != hash_password(GOOD)


@pytest.mark.parametrize("hashed", ["", "nonsense", "$argon2id$v=19$m=19456,t=2,p=1$", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA"])
def test_nonsense_in_the_place_of_a_hash_fits_nothing(hashed: str) -> None:
    assert not is_password(GOOD, hashed)


def test_a_password_of_any_signs_is_hashed_and_found_again() -> None:
    for password in ("pässwörd mit ümläuten", "\ud800 half a sign", "x" * 5_000):
        assert is_password(password, hash_password(password))


def test_who_is_unknown_is_compared_with_a_hash_that_costs_as_much() -> None:
    assert spare_hash().split("$")[1:4] == hash_password(GOOD).split("$")[1:4]
    assert not is_password(GOOD, spare_hash())
