"""Syncing in a browser: every look of its pages, and the way of an agent from a shop to the proof of its resync."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from connector.canonical import Resource
from connector.rules.syncing import RunKind, RunState, Scope
from connector.web.composition import Composition
from sync import engine
from tests.browser.conftest import Opens
from tests.browser.kit import assert_look, assert_looks_right
from tests.conftest import TestShop
from tests.factories import make_order
from tests.fakes import FakePlatform
from tests.sync.paged import PagedReads
from tests.web.conftest import run, scalar, shop_public_id
from tests.web.support.sync_kit import DIGEST, ORDERS, OTHER_DIGEST, begin, differ, know, work

WHY = "Request 4711: an order is missing"
MISSING = {
    "total": [None, "37.50"],
    "currency": [None, "EUR"],
    "email": [None, "anna@example.org"],
    "lines[0].title": [None, "Bougie Cèdre"],
}


@pytest.fixture
def pages(parts: Composition, shopify_shop: TestShop) -> dict[str, str]:
    """A shop with all that its pages of syncing can show; where they are."""
    shop = f"/support/shops/{shop_public_id(parts, shopify_shop)}/sync"
    know(parts, shopify_shop)
    counts = {"seen": 20_000, "expected": 20_000, "unchanged": 19_995}
    dry = begin(parts, shopify_shop, Scope(), is_dry_run=True)
    work(parts, dry, RunState.DONE, **counts, missing=2, changed=3, remaining=5, store_sum=DIGEST, ours_sum=OTHER_DIGEST)
    differ(parts, dry)
    differ(parts, dry, "1002", "missing", MISSING)
    differ(parts, dry, "c0ffee" * 6, "unrecoverable", {}, resource="checkout")
    done = begin(parts, shopify_shop, Scope(), dry_run_id=dry.id)
    work(parts, done, RunState.DONE, **counts, missing=2, changed=3, unreadable=1, store_sum=DIGEST, ours_sum=DIGEST)
    differ(parts, done, is_applied=True)
    active = begin(parts, shopify_shop, Scope((Resource.ORDER,), since=datetime(2026, 1, 1, tzinfo=UTC)))
    work(parts, active, seen=1_200, expected=2_360, missing=12, unreadable=1)
    run(parts, "update sync_slices set started_at = app_now(), seen = 1200, expected = 2360 where run_id = :id", id=active.id)
    run(parts, "update sync_runs set error = 'TransientError at orders: timed out' where id = :id", id=active.id)
    return {"shop": shop, **{name: f"{shop}/{one.public_id}" for name, one in (("dry", dry), ("done", done), ("active", active))}}


@pytest.fixture
def store(parts: Composition, shopify: FakePlatform, shopify_shop: TestShop) -> PagedReads:
    """A store of three orders that we know, one of which we have wrong and one not at all."""
    reads = PagedReads()
    shopify.reads = reads  # type: ignore[assignment] # of Reads, what syncing asks
    at = datetime.now(UTC) - timedelta(hours=1)
    for number in (1001, 1002, 1003):
        reads.hold(make_order(at, platform_id=str(number), number=f"#{number}", email=f"buyer{number}@example.org"))
    begin(parts, shopify_shop, ORDERS, kind=RunKind.BACKFILL, reason="")
    engine.work(parts.services, shopify_shop.id)
    assert scalar(parts, "select count(*) from orders") == 3
    run(parts, "update orders set total = 1, first_name = 'Wrong' where platform_id = '1002'")
    run(parts, "delete from orders where platform_id = '1003'")
    return reads


def test_the_page_of_syncing_looks_right(staff_page: Opens, pages: dict[str, str]) -> None:
    assert_looks_right(staff_page, pages["shop"], "support-sync", languages=("fr",))


def test_runs_look_right(staff_page: Opens, pages: dict[str, str]) -> None:
    assert_looks_right(staff_page, pages["active"], "support-sync-active", languages=("fr",))
    assert_looks_right(staff_page, pages["dry"], "support-sync-dry", languages=("en",))


def test_the_first_sync_looks_right(member_page: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    made = begin(parts, shopify_shop, Scope(), kind=RunKind.BACKFILL, reason="")
    work(parts, made, seen=1_200, expected=12_360)
    assert_looks_right(member_page, "/app", "first-sync", languages=("fr",))
    work(parts, made, RunState.DONE, seen=12_360, expected=12_360, unreadable=2)
    assert_looks_right(member_page, "/app", "first-sync-done", languages=("fr",))


def test_an_agent_finds_a_shop_looks_applies_and_sees_the_proof(
    staff_page: Opens, parts: Composition, shopify_shop: TestShop, store: PagedReads
) -> None:
    page = staff_page()
    page.goto("/support")
    page.locator("[name=q]").fill("demo")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Démo").first.click()
    page.get_by_role("link", name="Sync").click()
    page.get_by_label("What", exact=True).select_option("orders")
    page.get_by_label("Why").fill(WHY)
    page.get_by_role("button", name="Dry run").click()
    progress = page.locator("#progress")
    expect(progress.locator(".tag").first).to_have_text("waiting")

    engine.work(parts.services, shopify_shop.id)  # what workers do; the page sees it by itself
    expect(page.get_by_text("The dry run found differences. Nothing was changed.")).to_be_visible()
    wrong = page.locator("details.difference", has_text="1002")
    expect(wrong.locator("tr", has_text="total").locator("td")).to_have_text(["total", "1.00", "12.50"])
    expect(wrong.locator("tr", has_text="first name").locator("td")).to_have_text(["first name", "•••", "—"])
    expect(page.locator(".difference", has_text="1003")).to_contain_text("missing here")
    assert scalar(parts, "select total from orders where platform_id = '1002'") == 1

    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("It has begun.")).to_be_visible()
    engine.work(parts.services, shopify_shop.id)
    proof = page.locator("#proof")
    expect(proof).to_contain_text("0 differences in every field the API returns.")
    digests = proof.locator("code").all_inner_texts()
    assert (len(digests), len(set(digests)), len(digests[0])) == (2, 1, 64)
    expect(page.locator(".difference", has_text="1002")).to_contain_text("applied")
    assert_look(page, "support-sync-proof")
    assert scalar(parts, "select array_agg(total::text order by platform_id) from orders") == ["12.50"] * 3
    assert scalar(parts, "select count(*) from messages") == 0


def test_a_second_tab_gets_the_run_that_there_is(staff_page: Opens, parts: Composition, shopify_shop: TestShop, store: PagedReads) -> None:
    url = f"/support/shops/{shop_public_id(parts, shopify_shop)}/sync"
    first, second = staff_page(), staff_page()
    for page in (first, second):
        page.goto(url)
        page.get_by_label("Why").fill(WHY)
    first.get_by_role("button", name="Dry run").click()
    second.get_by_role("button", name="Resync at once").click()
    expect(second.get_by_text("A resync of this store is under way already")).to_be_visible()
    assert first.url.partition("?")[0] == second.url.partition("?")[0]
    second.get_by_role("button", name="Pause").click()
    expect(first.locator("#progress .tag").first).to_have_text("paused")
    first.get_by_role("button", name="Cancel the run").click()
    expect(second.locator("#progress .tag").first).to_have_text("cancelled")


def test_it_goes_on_by_itself_without_scripts(staff_page: Opens, parts: Composition, shopify_shop: TestShop, store: PagedReads) -> None:
    page = staff_page(java_script_enabled=False)
    page.goto(f"/support/shops/{shop_public_id(parts, shopify_shop)}/sync")
    page.locator("[name=reason]").fill(WHY)
    page.get_by_role("button", name="Dry run").click()
    engine.work(parts.services, shopify_shop.id)
    expect(page.get_by_text("The dry run found differences. Nothing was changed.")).to_be_visible()
