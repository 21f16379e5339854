"""One run as support sees it: how far it is, what differs, what may be done with it, and what it proved."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from connector.canonical import Resource
from connector.rules.permissions import StaffRole
from connector.rules.syncing import RunKind, RunState, Scope
from connector.store.run_tables import SyncRunRow
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import run, scalar, shop_public_id
from tests.web.signing import send
from tests.web.support.conftest import REASON, Entries, Opens, give_reason, rows, seen
from tests.web.support.sync_kit import DIGEST, OTHER_DIGEST, WHY, begin, differ, work

HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}'


def url_of(parts: Composition, made: SyncRunRow) -> str:
    return f"/support/shops/{scalar(parts, 'select public_id from shops where id = :id', id=made.shop_id)}/sync/{made.public_id}"


def page_of(client: TestClient, parts: Composition, made: SyncRunRow) -> str:
    answer = client.get(url_of(parts, made))
    assert answer.status_code == 200
    return answer.text


def act(client: TestClient, parts: Composition, made: SyncRunRow, what: str) -> Any:
    return send(client, parts, f"{url_of(parts, made)}/acts", act=what)


def state_of(parts: Composition, made: SyncRunRow) -> str:
    return str(scalar(parts, "select state from sync_runs where id = :id", id=made.id))


def buttons(page: str) -> list[str]:
    return re.findall(r'name="act" value="(\w+)"', page)


@pytest.mark.spec("C78")
def test_what_runs_says_how_far_it_is_how_fast_how_long_and_what_went_wrong_last(
    staff: Opens, parts: Composition, shopify_shop: TestShop
) -> None:
    made = begin(parts, shopify_shop)
    work(parts, made, seen=200, expected=2_360, missing=12, unreadable=1)
    run(parts, "update sync_runs set error = 'TransientError at orders: timed out' where id = :id", id=made.id)
    page = page_of(staff(), parts, made)
    text = seen(page)
    assert "running 200 of 2,360 2 a second 18 minutes left, until about" in text
    assert "The last thing that went wrong TransientError at orders: timed out" in text
    assert 'value="200" max="2360"' in page
    line = next(one for one in rows(page) if one.startswith("Orders"))
    assert line.startswith("Orders still to be read 200 of 2,360 12 1")
    assert buttons(page) == ["pause", "cancel"]
    assert 'id="progress" data-poll="2"' in page, "it looks again by itself"
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page, "without scripts as well"
    act(staff(), parts, made, "cancel")
    assert state_of(parts, made) == "cancelled", "whoever sees that it is stuck can end it"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update shops set state = 'needs_sign_in'", "The store is not connected: the run goes on when it is connected again."),
        ("update sync_runs set due_at = app_now() + interval '10 minutes'", "It goes on by itself on"),
        (
            "update sync_runs set due_at = due_at - interval '1 hour', created_at = created_at - interval '1 hour'",
            "they are busy with other stores, or none runs.",
        ),
    ],
)
def test_nothing_stands_still_without_a_reason(
    staff: Opens, parts: Composition, shopify_shop: TestShop, statement: str, words: str
) -> None:
    made = begin(parts, shopify_shop)
    assert words not in seen(page_of(staff(), parts, made))
    run(parts, statement)
    assert words in seen(page_of(staff(), parts, made))


def test_how_much_there_is_may_not_be_known_yet(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    made = begin(parts, shopify_shop)
    work(parts, made, seen=30)
    page = page_of(staff(), parts, made)
    assert "running 30 read 18 a minute" in seen(page)
    assert '<progress aria-label="How far it is"></progress>' in page


def test_what_is_over_does_not_look_again(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    made = begin(parts, shopify_shop)
    work(parts, made, RunState.DONE, seen=10, unchanged=10)
    page = page_of(staff(), parts, made)
    assert "data-poll" not in page
    assert "http-equiv" not in page
    assert buttons(page) == []


def test_differences_hide_who_it_is_and_what_opens_or_gives_something(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    made = begin(parts, shopify_shop, is_dry_run=True)
    differ(parts, made)
    for role in StaffRole:
        page = page_of(staff(role), parts, made)
        lines = rows(page)
        assert "total 12.50 99.00" in lines
        assert "line 1, quantity 1 —" in lines
        assert "e-mail a•••@e•••.org b•••@e•••.org" in lines
        assert "discount codes used — •••F3K" not in page
        assert "discount codes used — •••F3K" in lines
        assert "checkout token — •••" in lines
        for secret in ("anna.petit@example.org", "bruno.durand@example.org", "WELCOME", "tok-secret"):
            assert secret not in page
        assert ("/values" in page) == (role is not StaffRole.VIEWER)


def test_the_data_of_people_is_shown_for_a_reason_and_that_is_written_down(
    staff: Opens, parts: Composition, shopify_shop: TestShop, entries: Entries
) -> None:
    made = begin(parts, shopify_shop, is_dry_run=True)
    differ(parts, made)
    client, url = staff(), f"{url_of(parts, made)}/values"
    answer = client.get(url)
    assert (answer.status_code, "/reason?next=" in answer.headers["location"]) == (303, True)
    assert entries("support.viewed") == []
    give_reason(client, parts, shopify_shop)
    page = client.get(url).text
    assert "e-mail anna.petit@example.org bruno.durand@example.org" in rows(page)
    assert "data-poll" not in page, "looking again by itself would be written down again and again"
    assert [(one["object"], one["reason"]) for one in entries("support.viewed")] == [(made.public_id, REASON)]
    assert staff(StaffRole.VIEWER).get(url).status_code == 403


def test_many_differences_come_by_pages(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    made = begin(parts, shopify_shop, is_dry_run=True)
    for number in range(1, 28):
        differ(parts, made, str(9000 + number), "missing" if number % 2 else "changed", {"total": [None, "1"]})
    client = staff()
    page = page_of(client, parts, made)
    assert "What differs missing here: 14 · different: 13" in seen(page)
    assert (page.count('<details class="difference"'), "9025" in page, "9026" in page) == (25, True, False)
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older is not None
    rest = client.get(older[1]).text
    assert (rest.count('<details class="difference"'), "9027" in rest, 'rel="next"' in rest) == (2, True, False)
    assert "From the beginning" in rest
    assert client.get(f"{url_of(parts, made)}?after=x").status_code == 404


@pytest.mark.parametrize(("what", "before", "after"), [("pause", "running", "paused"), ("cancel", "running", "cancelled")])
def test_a_run_is_paused_and_cancelled_with_who_and_why(
    staff: Opens, parts: Composition, shopify_shop: TestShop, entries: Entries, what: str, before: str, after: str
) -> None:
    made = begin(parts, shopify_shop)
    work(parts, made, RunState(before))
    client = staff(reason_for=shopify_shop)
    answer = act(client, parts, made, what)
    assert (answer.status_code, state_of(parts, made)) == (303, after)
    one = entries(f"resync.{after}")[0]
    assert (one["actor"], one["object"], one["reason"]) == (f"staff {scalar(parts, 'select public_id from staff')}", made.public_id, REASON)
    assert one["account_id"] == scalar(parts, "select account_id from shops where id = :id", id=shopify_shop.id)
    act(client, parts, made, what)
    assert len(entries(f"resync.{after}")) == 1, "done twice it is done once"


def test_a_run_that_rests_goes_on(staff: Opens, parts: Composition, shopify_shop: TestShop, entries: Entries) -> None:
    made = begin(parts, shopify_shop)
    work(parts, made, RunState.PAUSED, seen=500)
    client = staff()
    page = page_of(client, parts, made)
    assert (buttons(page), "a second" in seen(page)) == (["resume", "cancel"], False)
    answer = act(client, parts, made, "resume")
    assert (answer.status_code, state_of(parts, made)) == (303, "running")
    assert "It goes on where it was." in seen(client.get(answer.headers["location"]).text)
    assert entries("resync.resumed")[0]["reason"] == WHY, "without another reason it is that of the run"


def test_a_first_sync_can_be_paused_too(staff: Opens, parts: Composition, shopify_shop: TestShop, entries: Entries) -> None:
    made = begin(parts, shopify_shop, Scope(), kind=RunKind.BACKFILL, reason="")
    client = staff()
    assert "First sync" in seen(page_of(client, parts, made))
    assert "by itself" in seen(page_of(client, parts, made))
    assert act(client, parts, made, "pause").status_code == 303
    assert [one["action"] for one in entries("backfill.%")] == ["backfill.paused"]


@pytest.mark.parametrize("what", ["resume", "apply", "delete"])
def test_what_is_over_stays_as_it_is(staff: Opens, parts: Composition, shopify_shop: TestShop, what: str) -> None:
    made = begin(parts, shopify_shop)
    work(parts, made, RunState.DONE, unchanged=1)
    answer = act(staff(), parts, made, what)
    assert (answer.status_code, state_of(parts, made)) == (422, "done")
    assert "Nothing was changed." in seen(answer.text)


def test_a_dry_run_is_applied_once(staff: Opens, parts: Composition, shopify_shop: TestShop, entries: Entries) -> None:
    made = begin(parts, shopify_shop, is_dry_run=True)
    differ(parts, made)
    work(parts, made, RunState.DONE, changed=1, remaining=1, store_sum=DIGEST, ours_sum=OTHER_DIGEST)
    client = staff()
    page = page_of(client, parts, made)
    assert "The dry run found differences. Nothing was changed." in seen(page)
    assert buttons(page) == ["apply"]
    first, second = act(client, parts, made, "apply"), act(staff(), parts, made, "apply")
    assert first.headers["location"].partition("?")[0] == second.headers["location"].partition("?")[0]
    found = scalar(
        parts, "select array[is_dry_run::text, dry_run_id::text, reason, scope ->> 'resources'] from sync_runs where id <> :id", id=made.id
    )
    assert found == ["false", str(made.id), WHY, '["order"]']
    assert [(one["action"], one["reason"]) for one in entries("resync.%")] == [("resync.asked", WHY)] * 2
    again = page_of(client, parts, made)
    assert buttons(again) == [], "what is being applied is not offered again"
    assert "The run that applied this" in again
    assert "The dry run that this applies" in client.get(first.headers["location"]).text


def test_what_a_run_proved_is_said_with_counts_and_both_digests(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    made = begin(parts, shopify_shop)
    counts = {"seen": 2_000, "missing": 3, "changed": 2, "unchanged": 1_995, "unreadable": 1, "store_sum": DIGEST, "ours_sum": DIGEST}
    work(parts, made, RunState.DONE, **counts)
    text = seen(page_of(staff(StaffRole.VIEWER), parts, made))
    assert "0 differences in every field the API returns." in text
    assert "records compared 2,000 missing here 3 different 2 still different 0 unreadable, kept aside 1" in text
    assert f"Digest of the store’s records {DIGEST} Digest of ours {DIGEST}" in text


@pytest.mark.parametrize(
    ("counts", "is_failed", "words"),
    [
        ({"remaining": 2, "changed": 2, "store_sum": DIGEST, "ours_sum": OTHER_DIGEST}, False, "Not everything is as the store has it."),
        ({"store_sum": DIGEST, "ours_sum": OTHER_DIGEST}, False, "Not everything is as the store has it."),
        ({"unchanged": 5}, True, "Not everything could be read, so nothing is proven."),
    ],
)
def test_what_is_not_proven_is_not_claimed(
    staff: Opens, parts: Composition, shopify_shop: TestShop, counts: dict[str, Any], is_failed: bool, words: str
) -> None:
    made = begin(parts, shopify_shop)
    work(parts, made, RunState.FAILED if is_failed else RunState.DONE, **counts)
    text = seen(page_of(staff(), parts, made))
    assert words in text
    assert "0 differences" not in text


def test_what_the_store_does_not_show_is_said_beside_the_proof(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    made = begin(parts, shopify_shop, Scope((Resource.ORDER, Resource.CUSTOMER)))
    work(parts, made, RunState.DONE, unchanged=5, store_sum=DIGEST, ours_sum=DIGEST)
    run(parts, "update sync_slices set state = 'skipped', error = 'no scope' where resource = 'customer'")
    text = seen(page_of(staff(), parts, made))
    assert "Not part of it, since the store does not show it to us: Customers." in text
    assert "0 differences in every field the API returns." in text


def test_what_a_store_says_is_only_ever_text(staff: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    made = begin(parts, shopify_shop, is_dry_run=True, reason=HOSTILE)
    differ(parts, made, HOSTILE, fields={"total": [HOSTILE, None], HOSTILE: [None, HOSTILE]})
    run(parts, "update sync_runs set error = :error", error=HOSTILE)
    client = staff(reason_for=shopify_shop)
    for page in (page_of(client, parts, made), client.get(f"{url_of(parts, made)}/values").text):
        assert "<img" not in page.partition("<main")[2]
        assert page.count("&lt;img src=x") > 2


def test_a_run_of_another_shop_is_not_there(staff: Opens, parts: Composition, shopify_shop: TestShop, woo_shop: TestShop) -> None:
    made = begin(parts, woo_shop)
    url = f"/support/shops/{shop_public_id(parts, shopify_shop)}/sync/{made.public_id}"
    assert staff().get(url).status_code == 404
    assert send(staff(), parts, f"{url}/acts", act="cancel").status_code == 404
    assert state_of(parts, made) == "waiting"
