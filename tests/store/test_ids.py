"""Public identifiers and tokens."""

import re
import time
import uuid

from connector.store.ids import public_id, token, uuid7


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


def test_a_link_token_holds_128_random_bits_that_survive_a_url() -> None:
    tokens = {token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", one) for one in tokens)
