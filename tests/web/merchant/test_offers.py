"""The list of offers, writing one, and the code that it gives."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from connector.codes import CodeKind, CodeStatus, Restriction
from connector.rules.permissions import Role
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.store.writing import Writer
from tests.web.conftest import run, scalar
from tests.web.merchant.conftest import plain, row_of
from tests.web.merchant.offer_kit import OfferWriter, ShelfCodes, day, name_of
from tests.web.signing import sign_in


def button(page: str, value: str) -> str:
    """A button of the form, as it is written."""
    found = re.search(rf'<button[^>]*value="{value}"[^>]*>', page)
    assert found is not None
    return found[0]


# ---------------------------------------------------------------- drafts and publishing


@pytest.mark.spec("SH-16")
def test_a_draft_is_kept_can_be_gone_on_with_and_is_given_to_nobody(writer: OfferWriter, parts: Composition, shelf: ShelfCodes) -> None:
    answer = writer.new(headline="", code="", value="", ends_on="")
    name = name_of(answer)
    assert answer.headers["location"].endswith("?done=offer-kept")
    assert writer.state(name) == "draft"
    page = writer.page(name)
    assert "a headline, a discount code, how much the code gives, the day on which the code ends." in plain(page)
    assert scalar(parts, "select count(*) from offer_work") == 0, "no order is even looked at"
    assert shelf.made == []
    form = writer.page(name, "/edit")
    assert 'value="Merci"' in form
    assert "Voici de quoi revenir." in form
    assert name_of(writer.edit(name, headline="Merci !")) == name
    assert (writer.version(name, "headline"), writer.version(name, "version")) == ("Merci !", 1)
    assert writer.state(name) == "draft"


@pytest.mark.spec("SH-10")
def test_without_a_code_publish_is_disabled_and_refused(writer: OfferWriter, client: TestClient, here: str) -> None:
    assert "disabled" in button(client.get(f"{here}/offers/new").text, "publish")
    answer = writer.new("publish", code="")
    assert answer.status_code == 422
    assert "It lacks: a discount code." in plain(answer.text)
    assert "disabled" in button(answer.text, "publish")
    for mode, missing in (("existing", True), ("unique", False)):
        assert ("disabled" in button(writer.new("search", mode=mode).text, "publish")) == missing, mode
    name = name_of(writer.new(code=""))
    assert re.search(r'<button class="primary" disabled>Publish</button>', writer.page(name))
    assert writer.do(name, "publication").status_code == 422
    assert writer.state(name) == "draft"
    writer.edit(name)
    assert re.search(r'<button class="primary">Publish</button>', writer.page(name))


def test_publishing_makes_the_code_at_once_and_the_page_tells_of_it(writer: OfferWriter, shelf: ShelfCodes, parts: Composition) -> None:
    name = name_of(writer.new("publish", usage_limit="100", minimum_subtotal="40,50"))
    assert writer.state(name) == "active"
    (made,) = shelf.made
    assert (made.code, made.kind, made.value, made.usage_limit) == ("MERCI10", CodeKind.PERCENTAGE, Decimal(10), 100)
    assert (made.minimum_subtotal, made.once_per_customer) == (Decimal("40.50"), True)
    assert made.ends_at is not None
    last = made.ends_at.astimezone(UTC)
    assert (last - datetime.now(UTC)).days in (19, 20)
    page = plain(writer.page(name))
    assert "active" in page
    assert "10% off on orders of €40.50 or more" in page
    assert "Published · version 1" in page
    assert "Nobody is given" not in page
    who = scalar(parts, "select string_agg(action || ' ' || split_part(actor, ' ', 1), ', ' order by id) from offer_events")
    assert who == "created member, published member"
    assert scalar(parts, "select count(*) from audit_entries where action in ('offer.created', 'offer.published', 'code.issued')") == 3


def test_what_the_store_refuses_for_good_is_told_with_its_words(writer: OfferWriter, shelf: ShelfCodes) -> None:
    shelf.refusal = "Discounts are not part of your plan"
    name = name_of(writer.new("publish"))
    page = plain(writer.page(name))
    assert "Nobody is given this offer at the moment. The store does not make its code. Discounts are not part of your plan" in page
    assert writer.state(name) == "suspended code_refused"


def test_a_store_that_does_not_answer_gets_its_code_later(writer: OfferWriter, shelf: ShelfCodes) -> None:
    shelf.is_silent = True
    name = name_of(writer.new("publish"))
    assert writer.state(name) == "active"
    page = plain(writer.page(name))
    assert "Its code is being made in the store." in page
    assert "The store has still to do: make 1 code" in page


@pytest.mark.spec("SH-01")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("state = 'needs_sign_in'", "The store is not connected."),
        ("storefront = 'password'", "Shoppers cannot enter the store"),
        ("storefront = 'frozen'", "The store’s platform has closed it"),
        ("missing_scopes = '{write_discounts}'", "The store has not granted us what discount codes need."),
    ],
)
def test_an_offer_of_a_store_that_lacks_something_is_refused_naming_it(
    change: str, words: str, writer: OfferWriter, parts: Composition
) -> None:
    run(parts, f"update shops set {change}")
    form = writer.client.get(f"{writer.here}/offers/new").text
    assert words in plain(form)
    assert "disabled" in button(form, "publish")
    for act in ("save", "publish"):
        answer = writer.new(act, mode="unique")
        assert answer.status_code == 422
        assert f"Offers of this store are not possible now. {words}" in plain(answer.text)
    assert scalar(parts, "select count(*) from offers") == 0
    assert words in plain(writer.client.get(f"{writer.here}/offers").text)


def test_an_offer_without_anywhere_to_send_mail_is_refused(writer: OfferWriter, parts: Composition) -> None:
    object.__setattr__(parts.services, "mail", None)
    answer = writer.new()
    assert "There is no way to send e-mail yet." in plain(answer.text)
    assert scalar(parts, "select count(*) from offers") == 0


# ---------------------------------------------------------------- the text


@pytest.mark.spec("SH-15")
@pytest.mark.parametrize("field", ["headline", "body"])
def test_the_code_in_the_message_is_refused(field: str, writer: OfferWriter, parts: Composition) -> None:
    answer = writer.new(**{field: "Saisissez merci10 à la caisse"})
    assert answer.status_code == 422
    assert "The message must not hold the code itself" in answer.text
    assert "Saisissez merci10 à la caisse" in answer.text, "what was typed is still there"
    assert scalar(parts, "select count(*) from offers") == 0
    assert "Do not put the code into the picture" in answer.text


def test_hostile_words_are_shown_as_words(writer: OfferWriter) -> None:
    name = name_of(writer.new(name="<script>alert(1)</script>", headline='"><img src=x>', body="{{7*7}}"))
    for part in ("", "/edit", "/preview", "/deletion"):
        page = writer.page(name, part)
        assert "<script>alert" not in page
        assert "<img src=x>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in writer.page(name)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": " "}, "Give the offer a name"),
        ({"name": "x" * 121}, "The name is too long: up to 120 characters."),
        ({"headline": "x" * 121}, "The headline is too long"),
        ({"body": "x" * 2001}, "The text is too long"),
        ({"value": "ten"}, "“ten” is no amount."),
        ({"value": "101"}, "A percentage is above 0 and at most 100."),
        ({"value": "1e2"}, "“1e2” is no amount."),
        ({"value": "10.123"}, "“10.123” is no amount."),
        ({"value": "NaN"}, "“NaN” is no amount."),
        ({"kind": "other"}, "Choose a percentage"),
        ({"mode": "none"}, "Choose which code"),
        ({"code": "TWO WORDS"}, "A code is one word"),
        ({"usage_limit": "0"}, "“0” is no whole number"),
        ({"ends_on": "2026-02-30"}, "“2026-02-30” is no day."),
        ({"mode": "unique", "valid_days": "366"}, "“366” is no whole number between 1 and 365."),
        ({"mode": "unique", "prefix": "MER-CI"}, "capital letters and digits"),
        ({"mode": "unique", "locks_email": "on"}, "no codes that are good for one e-mail address only"),
        ({"minimum_order": "-1"}, "cannot be below zero"),
        ({"most_uses": "1000001"}, "is no whole number"),
    ],
)
def test_what_makes_no_sense_is_refused_and_shown_as_typed(
    fields: dict[str, str], words: str, writer: OfferWriter, parts: Composition
) -> None:
    answer = writer.new(**fields)
    assert answer.status_code == 422
    assert words in plain(answer.text).replace("&#34;", '"')
    assert scalar(parts, "select count(*) from offers") == 0


# ---------------------------------------------------------------- new codes


@pytest.mark.spec("C58")
def test_a_new_code_without_an_end_is_never_published(writer: OfferWriter, shelf: ShelfCodes) -> None:
    for ends_on, words in (("", "the day on which the code ends"), (day(-1), "an end that is still to come")):
        answer = writer.new("publish", ends_on=ends_on)
        assert answer.status_code == 422
        assert words in plain(answer.text)
    answer = writer.new("publish", mode="unique", until="date", unique_ends_on="")
    assert "the day on which the code ends" in plain(answer.text)
    assert shelf.made == []


def test_a_new_code_that_the_store_has_is_said_so_in_the_form(writer: OfferWriter, shelf: ShelfCodes, parts: Composition) -> None:
    shelf.put("Merci10", value=Decimal(50))
    answer = writer.new()
    assert answer.status_code == 422
    assert "The store already has a discount under the code MERCI10." in answer.text
    assert scalar(parts, "select count(*) from offers") == 0


def test_our_code_keeps_its_terms_while_it_keeps_its_name(writer: OfferWriter, shelf: ShelfCodes) -> None:
    name = name_of(writer.new("publish"))
    answer = writer.edit(name, value="15")
    assert answer.status_code == 422
    assert "The store has the code MERCI10 with other terms already." in answer.text
    assert writer.edit(name, body="Un autre texte.").status_code == 303
    assert (writer.version(name, "version"), writer.state(name)) == (2, "active")
    page = plain(writer.page(name))
    assert "Its code is being made" not in page
    assert len(shelf.made) == 1
    assert writer.edit(name, value="15", code="MERCI15").status_code == 303
    assert [one.code for one in shelf.made] == ["MERCI10", "MERCI15"]


@pytest.mark.spec("SH-06", "SH-07", "SH-08")
@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [("free_shipping", "", "Free shipping"), ("fixed_amount", "5", "€5.00 off"), ("percentage", "12.5", "12.5% off")],
)
@pytest.mark.parametrize("mode", ["new", "existing"])
def test_percentages_amounts_and_free_shipping_are_accepted(
    mode: str, kind: str, value: str, words: str, writer: OfferWriter, shelf: ShelfCodes
) -> None:
    if mode == "existing":
        amount = Decimal(value) if value else None
        shelf.put("SOLDES", kind=CodeKind(kind), value=amount, currency="EUR" if kind == "fixed_amount" else None)
    name = name_of(writer.new("publish", mode=mode, kind=kind, value=value, chosen="SOLDES", body="Bienvenue"))
    assert writer.state(name) == "active"
    assert words in plain(writer.page(name))
    assert words in plain(writer.client.get(f"{writer.here}/offers").text)


# ---------------------------------------------------------------- codes that the store has


@pytest.mark.spec("SH-13")
def test_the_stores_codes_are_searched_and_shown_with_what_they_are_good_for(writer: OfferWriter, shelf: ShelfCodes) -> None:
    ends_at = datetime(2031, 5, 2, 21, 59, 59, tzinfo=UTC)
    shelf.put("SUMMER20", value=Decimal(20), ends_at=ends_at, usage_limit=50, used=7, once_per_customer=True, title="Summer sale")
    shelf.put("OLD", status=CodeStatus.EXPIRED)
    shelf.put("SHIPPING", kind=CodeKind.FREE_SHIPPING, value=None, minimum_subtotal=Decimal(30))
    shelf.put("VIP", restrictions=(Restriction.CUSTOMERS,))
    answer = writer.new("search", mode="existing", words="sum", name="Été")
    assert answer.status_code == 200
    page = plain(answer.text)
    assert "SUMMER20 can be used Summer sale 20% off · Valid until May 2, 2031" in page
    assert "· 50 uses in all · once per customer · used 7 times" in page
    assert "OLD" not in page
    assert 'value="Été"' in answer.text, "what was typed is not lost by looking"
    everything = writer.new("search", mode="existing", words="").text
    assert "OLD cannot be used 10% off · No end date · used 0 times It has expired, or was switched off." in plain(everything)
    assert "VIP" not in everything
    (more,) = re.findall(r'value="(more:[^"]+)"', everything)
    rest = plain(writer.new(more, mode="existing", words="").text)
    assert "VIP cannot be used" in rest
    assert "It is for certain customers only." in rest
    none = writer.new("search", mode="existing", words="nothing like that").text
    assert "The store has no code that fits these words." in none
    assert scalar(writer.parts, "select count(*) from offers") == 0
    assert 'name="code"' in none, "or a new one is made"


@pytest.mark.spec("SH-09")
@pytest.mark.parametrize(
    ("restriction", "words"),
    [
        (Restriction.CUSTOMERS, "It is for certain customers only."),
        (Restriction.SEGMENTS, "It is for certain groups of customers only."),
        (Restriction.PRODUCTS, "It is for certain products or collections only."),
    ],
)
def test_a_code_for_some_only_cannot_be_chosen(restriction: Restriction, words: str, writer: OfferWriter, shelf: ShelfCodes) -> None:
    shelf.put("SOME", restrictions=(restriction,))
    listed = writer.new("search", mode="existing").text
    assert re.search(r'<input type="radio" [^>]*value="SOME"[^>]* disabled>', listed)
    assert words in plain(listed)
    for act in ("save", "publish"):
        answer = writer.new(act, mode="existing", chosen="SOME")
        assert answer.status_code == 422
        assert f"The code SOME cannot be used for an offer: {words}" in plain(answer.text)
    assert scalar(writer.parts, "select count(*) from offers") == 0
    shelf.put("MINIMUM", minimum_subtotal=Decimal(60))
    assert writer.new(mode="existing", chosen="MINIMUM").status_code == 303


@pytest.mark.spec("SH-11")
def test_a_code_that_serves_something_else_warns_and_is_taken_all_the_same(writer: OfferWriter, shelf: ShelfCodes, write: Writer) -> None:
    shelf.put("SOLDES")
    first = name_of(writer.new(mode="existing", chosen="SOLDES", name="Printemps"))
    assert "This code serves something else too." not in writer.page(first)
    second = name_of(writer.new(mode="existing", chosen="SOLDES", name="Été"))
    page = plain(writer.page(second))
    assert "This code serves something else too. Another offer gives it too: Printemps." in page
    assert "Another offer gives it too: Printemps." in plain(writer.page(second, "/edit"))
    run(writer.parts, "delete from offers where public_id = :name", name=first)
    write.order(datetime.now(UTC) - timedelta(days=2), discount_codes="{soldes,OTHER}")
    assert "1 order came with it already." in plain(writer.page(second))
    assert writer.do(second, "publication").status_code == 303
    assert writer.state(second) == "active"


def test_a_store_that_does_not_answer_is_said_so_and_nothing_is_lost(writer: OfferWriter, shelf: ShelfCodes) -> None:
    shelf.is_silent = True
    answer = writer.new("search", mode="existing", words="x", headline="Gardé")
    assert "The codes cannot be shown. The store did not answer." in plain(answer.text)
    assert "Gardé" in answer.text
    assert writer.new(mode="existing", chosen="SOLDES").status_code == 422


def test_a_code_of_ones_own_for_each_is_written_with_its_prefix_and_days(writer: OfferWriter, shelf: ShelfCodes) -> None:
    shelf.put("FALLBACK")
    name = name_of(writer.new("publish", mode="unique", prefix="merci", valid_days="14", fallback_code="fallback"))
    assert writer.state(name) == "active"
    kept = [writer.version(name, column) for column in ("mode", "code", "prefix", "valid_days", "fallback_code", "ends_at")]
    assert kept == ["unique", None, "MERCI", 14, "FALLBACK", None]
    page = plain(writer.page(name))
    assert "one for each person, MERCI-…" in page
    assert "14 days after it was given" in page
    again = writer.page(name, "/edit")
    assert re.search(r'id="mode-unique"[^>]* checked', again)
    assert re.search(r'name="prefix" value="MERCI"', again)


# ---------------------------------------------------------------- who may, and where one gets there


def test_who_may_not_change_sees_but_cannot(writer: OfferWriter, client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    name = name_of(writer.new("publish"))
    sign_in(client, parts, shopify_shop, Role.READ_ONLY)
    page = writer.page(name)
    assert "Merci pour votre commande" in page
    for word in ("Deactivate", "/edit", "Delete"):
        assert word not in page
    assert "Create offer" not in client.get(f"{writer.here}/offers").text
    assert writer.new().status_code == 403
    assert client.get(f"{writer.here}/offers/new").status_code == 403
    assert writer.do(name, "deactivation").status_code == 403


@pytest.mark.spec("SH-32")
def test_from_the_overview_an_offer_is_one_click_away(client: TestClient, here: str, shelf: ShelfCodes) -> None:
    page = client.get("/app").text
    link = re.search(r'<a class="button" href="([^"]+)">Create offer</a>', page)
    assert link is not None
    assert link[1] == f"{here}/offers/new"
    assert client.get(link[1]).status_code == 200


def test_the_list_shows_states_reasons_and_numbers(writer: OfferWriter, shelf: ShelfCodes) -> None:
    assert "No offers yet" in writer.client.get(f"{writer.here}/offers").text
    name_of(writer.new("publish", name="Running"))
    name_of(writer.new(name="Begun", code="OTHER"))
    page = writer.client.get(f"{writer.here}/offers").text
    assert "active" in row_of(page, "Running")
    assert row_of(page, "Begun").startswith("Begun 10% off OTHER draft 0 0 —")
    assert writer.client.get("/app/offers").headers["location"] == f"{writer.here}/offers"
