"""The page of one offer: how it stands, what helps, what happened, who got it; and what can be done to it with one button."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from connector.codes import CodeStatus, Restriction
from connector.web.composition import Composition
from sync.offer_codes import make_codes
from tests.conftest import TestShop
from tests.sync.offer_desk import OfferDesk
from tests.web.conftest import run, scalar
from tests.web.merchant.conftest import Post, plain, row_of, rows
from tests.web.merchant.offer_kit import OfferWriter, ShelfCodes, day, name_of
from tests.web.signing import sign_in


@pytest.fixture
def desk(parts: Composition, shopify_shop: TestShop) -> OfferDesk:
    """What is bought, and time that goes by."""
    return OfferDesk(parts.services, shopify_shop.id)


@pytest.fixture
def pass_days(desk: OfferDesk, writer: OfferWriter, shopify_shop: TestShop) -> Callable[[int], None]:
    """Days go by, and the merchant signs in again."""

    def wait(days: int) -> None:
        desk.later(days=days)
        sign_in(writer.client, writer.parts, shopify_shop)

    return wait


@pytest.fixture
def running(writer: OfferWriter) -> str:
    """An offer that is given: ten percent under MERCI10 for twenty days."""
    return name_of(writer.new("publish"))


def buttons(page: str) -> set[str]:
    """What the page offers to do."""
    heading = page[page.index('<div class="actions">') : page.index("</main>")]
    return set(re.findall(r"<(?:button|a)[^>]*>([^<]+)</(?:button|a)>", heading[: heading.index("</div>")]))


# ---------------------------------------------------------------- editing, deactivating, deleting


@pytest.mark.spec("SH-22")
def test_an_offer_is_edited_deactivated_and_deleted_each_with_a_confirmation(writer: OfferWriter, running: str) -> None:
    assert buttons(writer.page(running)) == {"Edit", "Deactivate", "Delete"}
    assert "Who holds it keeps what they got." in writer.page(running, "/edit")
    assert writer.edit(running, headline="Un autre titre").headers["location"].endswith(f"{running}?done=saved")
    assert "Un autre titre" in writer.page(running)
    question = writer.page(running, "/deactivation")
    assert "From then on nobody is given or shown this offer any more." in question
    assert writer.state(running) == "active", "asking alone changes nothing"
    assert writer.do(running, "deactivation").headers["location"].endswith("done=offer-off")
    assert writer.state(running) == "deactivated"
    assert buttons(writer.page(running)) == {"Publish", "Edit", "Delete"}
    assert "It is off already." in writer.page(running, "/deactivation")
    assert writer.do(running, "deactivation").status_code == 303
    assert "its numbers: a new one begins at zero" in writer.page(running, "/deletion")
    assert writer.do(running, "deletion").headers["location"] == f"{writer.here}/offers?done=offer-deleted"
    assert writer.state(running) == "deleted"
    assert writer.client.get(f"{writer.here}/offers/{running}").status_code == 404
    assert "No offers yet" in writer.client.get(f"{writer.here}/offers").text
    audited = scalar(writer.parts, "select string_agg(action, ' ' order by id) from audit_entries where action like 'offer.%'")
    assert audited == "offer.created offer.published offer.changed offer.deactivated offer.deleted"


def test_what_happened_to_an_offer_outlives_it(writer: OfferWriter, running: str, shelf: ShelfCodes, desk: OfferDesk) -> None:
    assert "No offer was deleted." in writer.page("deleted")
    shelf.held.clear()
    desk.drop_code()
    desk.tend()
    writer.do(running, "deletion")
    assert writer.client.get(f"{writer.here}/offers/{running}").status_code == 404
    assert f"{writer.here}/offers/{running}/history" in writer.page("deleted")
    page = plain(writer.page(running, "/history"))
    for step in ("Deleted", "Suspended · Its code is not in the store any more.", "Published · version 1", "Created as a draft"):
        assert step in page
    assert "Recipients" not in page
    assert "owner-" in page, "who did it"


def test_what_is_off_can_be_published_again(writer: OfferWriter, running: str, shelf: ShelfCodes) -> None:
    writer.do(running, "deactivation")
    assert writer.do(running, "publication").headers["location"].endswith("done=offer-published")
    assert writer.state(running) == "active"
    assert len(shelf.made) == 1
    writer.do(running, "deactivation")
    shelf.put("MERCI10", status=CodeStatus.EXPIRED)
    run(writer.parts, "update discount_codes set status = 'expired'")
    refused = writer.do(running, "publication")
    assert refused.status_code == 422
    assert "Nothing was changed. The offer cannot be published now. Its code has expired." in plain(refused.text)
    assert writer.state(running) == "deactivated"


# ---------------------------------------------------------------- the code changes, ends, dies


@pytest.mark.spec("SH-12")
def test_the_code_is_changed_while_the_offer_is_active_without_a_pause(
    writer: OfferWriter, running: str, shelf: ShelfCodes, desk: OfferDesk
) -> None:
    first = desk.grant(desk.buy("one@example.org"))
    shelf.put("SOLDES", value=Decimal(25))
    assert writer.edit(running, mode="existing", chosen="SOLDES", body="Bienvenue").status_code == 303
    assert writer.state(running) == "active"
    second = desk.grant(desk.buy("two@example.org"))
    assert (first.code, second.code) == ("MERCI10", "SOLDES")
    assert scalar(writer.parts, "select string_agg(to_state, ' ' order by id) from offer_events") == "draft active active"
    page = writer.page(running)
    given = [line for line in rows(page) if "example.org" in line]
    assert [("two" in line, "SOLDES" in line) for line in given] == [(True, True), (False, False)]
    assert row_of(page, "one@example.org").split()[2:4] == ["MERCI10", "1"]


@pytest.mark.parametrize("in_store", ["gone", "expired"])
def test_a_dead_code_is_told_with_what_helps_and_a_new_one_by_one_click(
    in_store: str, writer: OfferWriter, running: str, shelf: ShelfCodes, desk: OfferDesk, pass_days: Callable[[int], None]
) -> None:
    if in_store == "gone":
        shelf.held.clear()
        desk.drop_code()
    else:
        pass_days(22)
    desk.tend()
    reason = "code_deleted" if in_store == "gone" else "code_expired"
    assert writer.state(running) == f"suspended {reason}"
    page = plain(writer.page(running))
    words = "Its code is not in the store any more." if in_store == "gone" else "Its code has expired."
    assert f"Nobody is given this offer at the moment. {words} Give it a new code" in page
    assert f"Suspended · {words}" in page
    assert "Connector" in page
    assert words in plain(writer.client.get("/app").text), "the overview tells of it too"
    assert writer.do(running, "replacement").headers["location"].endswith("done=offer-renewed")
    assert shelf.made[-1].code == "MERCI10-2"
    assert shelf.made[-1].value == Decimal(10)
    assert writer.state(running) == "active"
    page = plain(writer.page(running))
    assert "Nobody is given" not in page
    assert "Active again" in page


@pytest.mark.parametrize("is_made", [False, True])
def test_whoever_asks_twice_for_a_new_code_gets_one(
    is_made: bool, writer: OfferWriter, running: str, shelf: ShelfCodes, desk: OfferDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process died before the code was made, or after that, before the offer was active again."""
    shelf.held.clear()
    desk.drop_code()
    desk.tend()
    with monkeypatch.context() as patch:
        patch.setattr("connector.web.merchant.offer_saving.tend", lambda *values, **more: None)
        if not is_made:
            patch.setattr("connector.web.merchant.offer_saving.make_codes", lambda *values: None)
        assert writer.do(running, "replacement").headers["location"].endswith("done=offer-renewed")
        assert writer.state(running) == "suspended code_deleted"
        assert "Make a new code" not in writer.page(running)
        assert writer.do(running, "replacement").headers["location"].endswith("done=offer-renewed")
    assert (writer.version(running, "version"), writer.version(running, "code")) == (2, "MERCI10-2")
    make_codes(desk.services, desk.shop_id)
    desk.tend()
    assert writer.state(running) == "active"
    assert [code.code for code in shelf.made] == ["MERCI10", "MERCI10-2"]


@pytest.mark.spec("SH-33")
def test_a_valid_code_makes_a_suspended_offer_active_again(writer: OfferWriter, running: str, shelf: ShelfCodes, desk: OfferDesk) -> None:
    holder = desk.buy("holder@example.org")
    shelf.held.clear()
    desk.drop_code()
    desk.tend()
    assert writer.state(running) == "suspended code_deleted"
    shelf.put("MERCI10", platform_id="another")
    desk.hold_code("MERCI10")
    desk.tend()
    assert writer.state(running) == "suspended code_deleted", "not because the old code is there again"
    assert ">Make a new code with the same terms</button>" in writer.page(running)
    shelf.put("SOLDES")
    writer.edit(running, mode="existing", chosen="SOLDES", body="Bienvenue")
    assert writer.state(running) == "active"
    assert desk.grant(holder).code == "MERCI10"
    assert desk.grant(desk.buy("new@example.org")).code == "SOLDES"


@pytest.mark.spec("NH-18")
def test_an_end_that_is_near_is_forecast_with_a_replacement_by_one_click(
    writer: OfferWriter, shelf: ShelfCodes, pass_days: Callable[[int], None]
) -> None:
    name = name_of(writer.new("publish", ends_on=day(10)))
    assert "Its code ends soon." not in writer.page(name)
    pass_days(8)
    page = writer.page(name)
    assert "Its code ends soon." in page
    assert ">Make a new code with the same terms</button>" in page
    assert "soon" in row_of(writer.client.get(f"{writer.here}/offers").text, "Merci")
    assert "From" in plain(writer.client.get("/app").text)
    old_end = writer.version(name, "ends_at")
    shelf.put("MERCI10-2")
    writer.do(name, "replacement")
    assert shelf.made[-1].code == "MERCI10-3", "a name that the store has is left alone"
    assert "Its code ends soon." not in writer.page(name)
    assert writer.version(name, "ends_at") - old_end > timedelta(days=7)
    assert writer.state(name) == "active"


def test_a_code_that_was_made_for_some_only_is_told_with_what_it_is(writer: OfferWriter, running: str, desk: OfferDesk) -> None:
    desk.hold_code(restrictions=(Restriction.PRODUCTS,))
    desk.tend()
    assert writer.state(running) == "suspended unsupported_type"
    words = "Its code is not one that everybody can use. It is for certain products or collections only."
    page = plain(writer.page(running))
    assert f"Nobody is given this offer at the moment. {words}" in page
    assert f"Suspended · {words}" in page
    assert words in row_of(writer.client.get(f"{writer.here}/offers").text, "Merci")


def test_what_the_store_lacks_is_named_with_where_to_mend_it(writer: OfferWriter, running: str, desk: OfferDesk) -> None:
    run(writer.parts, "update shops set storefront = 'password'")
    page = plain(writer.page(running))
    assert "Nobody is given this offer at the moment. Shoppers cannot enter the store" in page
    assert "As soon as that is mended, the offer goes on by itself." in page
    assert "Make a new code" not in page


def test_what_cannot_be_made_anew_is_said_so(writer: OfferWriter, running: str) -> None:
    answer = writer.do(running, "replacement")
    assert answer.status_code == 422
    assert "A code like this one cannot be made anew." in answer.text
    assert writer.version(running, "version") == 1


# ---------------------------------------------------------------- who got it, who did not, what the store owes


def test_who_was_given_it_and_why_others_were_not(writer: OfferWriter, running: str, desk: OfferDesk) -> None:
    desk.buy("anna@example.org")
    desk.buy("anna@example.org")
    desk.buy("test@example.org", is_test=True)
    used = desk.buy("used@example.org")
    desk.buy("used@example.org", discount_codes=("merci10",))
    desk.change_order(used, refunded_total=used.total)
    page = writer.page(running)
    assert "not used yet" in row_of(page, "anna@example.org #1 MERCI10 1")
    assert "used An order came with the code" in row_of(page, "used@example.org #4")
    assert "The offer was given" in row_of(page, "#1")
    assert "The shopper already holds an unused offer" in row_of(page, "#2")
    assert "A test order" in row_of(page, "#3")
    assert "Recipients 2 people who were given it Orders with its code 1" in plain(page)


def test_a_long_list_of_people_is_leafed_through(writer: OfferWriter, running: str, desk: OfferDesk) -> None:
    for number in range(27):
        desk.buy(f"p{number:02}@example.org")
    page = writer.page(running)
    assert len([line for line in rows(page) if line.startswith("p")]) == 25
    older = re.findall(r'href="([^"]+)" data-swap="#given">Older', page)
    rest = writer.client.get(older[0].replace("&amp;", "&")).text
    assert [line[:15] for line in rows(rest) if line.startswith("p")] == ["p01@example.org", "p00@example.org"]
    assert ">Newest</a>" in rest
    older = re.findall(r'href="([^"]+)" data-swap="#decided">Older', page)
    rest = writer.client.get(older[0].replace("&amp;", "&")).text
    assert [line.split()[0] for line in rows(rest) if line.startswith("#")] == ["#2", "#1"]
    assert writer.client.get(f"{writer.here}/offers/{running}?given=nonsense").status_code == 404


def test_what_the_store_has_still_to_do_is_told_with_its_tries(writer: OfferWriter, shelf: ShelfCodes, desk: OfferDesk) -> None:
    shelf.is_silent = True
    name = name_of(writer.new("publish"))
    page = plain(writer.page(name))
    assert re.search(r"The store has still to do: make 1 code \(since .*; tried \d+ times\)", page)


def test_nothing_of_an_offer_is_shown_to_another_account(
    writer: OfferWriter, running: str, woo_shop: TestShop, parts: Composition, post: Post
) -> None:
    other = scalar(parts, "select public_id from shops where id = :id", id=woo_shop.id)
    assert writer.client.get(f"/app/shops/{other}/offers").status_code == 404
    assert writer.client.get(f"/app/shops/{other}/offers/{running}").status_code == 404
