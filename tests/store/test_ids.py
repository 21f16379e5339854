"""Public identifiers and tokens."""

import re
import time
import uuid

from connector.store.ids import public_id, public_ids, token, uuid7


def test_a_public_id_is_a_prefix_and_a_version_7_uuid_of_now() -> None:
    prefix, _, rest = public_id("chk").partition("_")
    made = uuid.UUID(rest)

    assert prefix == "chk"
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) / 1000 - time.time()) < 5


def test_ids_made_later_sort_later_and_never_repeat() -> None:
    first = uuid7()
    time.sleep(0.002)
    later = [uuid7() for _ in range(1000)]

    assert len(set(later)) == 1000
    assert all(str(first) < str(one) for one in later)


def test_many_made_at_once_are_each_a_version_7_uuid_of_its_own() -> None:
    made = [uuid.UUID(one.removeprefix("ord_")) for one in public_ids("ord", 500)]

    assert len(set(made)) == 500
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert all(any(one.int >> bit & 1 for one in made) and not all(one.int >> bit & 1 for one in made) for bit in (0, 61, 64, 75))
    assert public_ids("ord", 0) == []


def test_a_link_token_holds_128_random_bits_that_survive_a_url() -> None:
    tokens = {token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", one) for one in tokens)
