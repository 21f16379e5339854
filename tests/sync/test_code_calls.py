"""What a store answers, turned into outcomes: the answers that a whole story hardly meets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.codes import CodeKind, DiscountCode
from connector.platforms import Access, CodeTaken, Gone, NotPermitted, Rejected, ShopClosed
from connector.store.offer_code_work import Act, Outcome, Task
from connector.store.offer_codes import CHANGED, NEVER, USED
from connector.store.offer_tables import OfferCodeRow
from sync import code_calls
from sync.code_calls import Done, Store
from tests.sync.code_store import CodeStore

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WANTED = DiscountCode("AUTOMNE", CodeKind.PERCENTAGE, Decimal(10), ends_at=NOW + HOUR)
CLOSED = ShopClosed("frozen", platform="fake", status=402)


def row(number: int = 1, **changes: Any) -> OfferCodeRow:
    """A code of ours."""
    values: dict[str, Any] = {"role": "unique", "code": f"MERCI-{number}", "wanted": "issued", "actual": "none", "ends_at": NOW + HOUR}
    values |= {"attempts": 1, "public_id": f"ofc_{number}", "shop_id": 1, "offer_id": 1, "version_id": 1}
    return OfferCodeRow(**values | {"id": number, "created_at": NOW, "changed_at": NOW, "due_at": NOW} | changes)


def task(act: Act, *rows: OfferCodeRow, now: datetime = NOW, model: OfferCodeRow | None = None) -> Task:
    """Something to do."""
    return Task(act, rows, NOW, now, model, replace(WANTED, code=rows[0].code) if act is Act.ISSUE else None)


@pytest.fixture
def store() -> CodeStore:
    """A store with one discount, number 1: AUTOMNE."""
    made = CodeStore(lambda: NOW)
    made.merchant_makes(WANTED)
    return made


def ask(store: CodeStore, wanted: Task, *, tells_ends: bool = True) -> Done:
    """What comes of it."""
    return code_calls.CALLS[wanted.act](Store(store, Access(1, "fake.example", {}), tells_ends), wanted)


MODEL = row(9, role="model", code="AUTOMNE", platform_id="1", actual="issued")
ALONE: dict[str, Any] = {"role": "shared", "code": "AUTOMNE", "platform_id": "1"}


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("issue_code", task(Act.ISSUE, row())),
        ("issue_codes", task(Act.ISSUE_MANY, row(), model=MODEL)),
        ("delete_code", task(Act.CLEAR, row(**ALONE, wanted="deleted", actual="issued"))),
    ],
)
def test_a_closed_store_refuses_nothing_for_good(store: CodeStore, call: str, wanted: Task) -> None:
    store.errors[call] = CLOSED
    with pytest.raises(ShopClosed):
        ask(store, wanted)


def test_a_whole_call_that_is_refused_refuses_each_code(store: CodeStore) -> None:
    store.errors["issue_codes"] = NotPermitted("no scope", platform="fake")
    done = ask(store, task(Act.ISSUE_MANY, row(1), row(2), model=MODEL))
    assert done.result.outcomes == {1: Outcome("refused", refusal="no scope"), 2: Outcome("refused", refusal="no scope")}


def test_a_random_name_that_is_taken_is_drawn_anew_and_a_chosen_one_is_not(store: CodeStore) -> None:
    store.errors["issue_code"] = CodeTaken("taken", platform="fake")
    drawn = ask(store, task(Act.ISSUE, row(code="MERCI-ABC"))).result.outcomes[1]
    assert drawn.actual == "none"
    assert (drawn.code or "").startswith("MERCI-")
    assert ask(store, task(Act.ISSUE, row(role="shared"))).result.outcomes[1] == Outcome("refused", refusal="taken")
    assert ask(store, task(Act.ISSUE, row(attempts=4))).result.outcomes[1] == Outcome("refused", refusal="taken")


@pytest.mark.parametrize("error", [Gone("gone", platform="fake"), CodeTaken("taken", platform="fake")])
def test_what_cannot_be_resumed_is_refused(store: CodeStore, error: Rejected) -> None:
    store.errors["resume_code"] = error
    done = ask(store, task(Act.RESUME, row(**ALONE, actual="suspended")))
    assert (done.result.outcomes[1].actual, list(done.lost)) == ("refused", ["AUTOMNE"])


def test_what_is_gone_while_it_is_suspended_is_suspended(store: CodeStore) -> None:
    store.errors["suspend_code"] = Gone("gone", platform="fake")
    done = ask(store, task(Act.SUSPEND, row(**ALONE, actual="issued", wanted="suspended")))
    assert (done.result.outcomes[1], list(done.lost)) == (Outcome("suspended"), ["AUTOMNE"])


def test_a_name_that_may_be_the_merchants_is_not_touched(store: CodeStore) -> None:
    unsure = row(role="shared", code="AUTOMNE", wanted="suspended")
    assert ask(store, task(Act.SUSPEND, unsure)).result.outcomes[1] == Outcome("suspended")
    unsure.wanted = "deleted"
    assert ask(store, task(Act.CLEAR, unsure)).result.outcomes[1] == Outcome("deleted", refusal=CHANGED)
    assert store.calls == []


def test_an_end_is_told_only_to_a_store_that_may_not_know_it(store: CodeStore) -> None:
    store.merchant_moves_end("AUTOMNE", NOW - HOUR)
    ended = row(**ALONE, actual="issued", wanted="suspended", ends_at=NOW - HOUR)
    assert ask(store, task(Act.SUSPEND, ended)).result.log == ()
    assert store.count("suspend_code") == 0
    assert ask(store, task(Act.SUSPEND, ended), tells_ends=False).result.log == (("code.suspended", "its end has come"),)
    assert store.count("suspend_code") == 1


def test_what_was_used_or_has_other_codes_is_kept(store: CodeStore) -> None:
    over = row(**ALONE, actual="suspended", wanted="deleted", ends_at=NOW - HOUR)
    store.merchant_moves_end("AUTOMNE", NOW - HOUR)
    store.discounts["1"].names["other"] = "OTHER"
    assert ask(store, task(Act.CLEAR, over)).result.outcomes[1] == Outcome("suspended", wanted="suspended", refusal=USED)
    del store.discounts["1"].names["other"]
    store.use("AUTOMNE")
    assert ask(store, task(Act.CLEAR, over)).result.outcomes[1] == Outcome("suspended", wanted="suspended", refusal=USED)


def test_of_a_series_that_is_gone_all_codes_are(store: CodeStore) -> None:
    store.errors["clear_codes"] = Gone("gone", platform="fake")
    made, never = row(1, wanted="deleted", actual="issued"), row(2, wanted="deleted")
    done = ask(store, task(Act.CLEAR_MANY, made, never, model=MODEL))
    assert done.result.outcomes == {1: Outcome("deleted"), 2: Outcome("deleted", refusal=NEVER)}


def test_a_code_that_is_not_found_yet_is_looked_for_a_few_times_before_it_is_made_again(store: CodeStore) -> None:
    given = row(actual="issued", attempts=2)
    assert ask(store, task(Act.LOOK, given, model=MODEL)).result.outcomes == {}
    given.attempts = 3
    assert ask(store, task(Act.LOOK, given, model=MODEL)).result.outcomes == {1: Outcome("none")}


def test_the_words_about_a_code_for_one_address_are_left_out(store: CodeStore) -> None:
    store.errors["issue_code"] = Rejected("anna@example.org is no address", platform="fake")
    assert ask(store, task(Act.ISSUE, row(email="anna@example.org"))).result.outcomes[1].refusal == "Rejected"
