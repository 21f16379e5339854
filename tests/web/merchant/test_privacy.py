"""What owners see of privacy requests, and the answer they pass on."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from connector.canonical import Channel, Consent, ConsentState, Customer, DataRequested, Person, PersonRedacted, Phone
from connector.rules.permissions import Role
from connector.store import people, privacy, records
from connector.store.people import ConsentWord
from connector.web.composition import Composition
from sync import erase
from sync.privacy import keep
from tests.conftest import TestShop, install
from tests.factories import make_order
from tests.sync.offer_desk import OfferDesk
from tests.web.conftest import Seed, abandon, run, scalar, turn_on
from tests.web.merchant.conftest import Post
from tests.web.signing import sign_in

EMAIL = "anna.petit@example.org"
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
Asks = Callable[..., str]


@pytest.fixture
def asks(parts: Composition, shopify_shop: TestShop) -> Asks:
    """Somebody asks for their data (or to be erased); the public id of the request."""

    def make(person: Person | None = None, at: datetime | None = None, shop: TestShop = shopify_shop, number: str = "1") -> str:
        event = DataRequested(person or Person(email=EMAIL), at or datetime.now(UTC), number)
        with parts.db.transaction(shop=shop.id) as session:
            keep(session, parts.services.vault, shop.id, {0: [event]})
        return str(scalar(parts, "select public_id from privacy_requests order by id desc limit 1"))

    return make


@pytest.fixture
def anna(parts: Composition, seed: Seed, shopify_shop: TestShop, now: datetime) -> None:
    """Everything a shop may keep of one person, and something of another."""
    turn_on(parts, shopify_shop)
    seed(shopify_shop, minutes=120, email=EMAIL, first_name="Anna", phone=Phone("06 12 34 56 78", "+33612345678"), customer_id="7")
    abandon(parts, shopify_shop)
    seed(shopify_shop, platform_id="tok-2", token="tok-2", email="paul@example.org", first_name="Paul")
    customer = Customer("7", now, email=EMAIL, first_name="Anna", company="Atelier <Petit>", country="FR", created_at=now)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        account = session.execute(text("select account_id from shops where id = :id"), {"id": shopify_shop.id}).scalar_one()
        contacts = people.save_contacts(session, account, [customer])
        records.save_customers(session, shopify_shop.id, [customer], contacts)
        records.save_orders(session, shopify_shop.id, [make_order(customer_id="7", email=EMAIL)])
        consent = Consent(Channel.EMAIL, ConsentState.SUBSCRIBED, now, "checkout")
        people.save_consents(session, shopify_shop.id, [ConsentWord(EMAIL, consent)])
        people.suppress(session, parts.services.vault, shopify_shop.id, Channel.SMS, "+33612345678", "manual")


def keep_delivery(parts: Composition, shop: TestShop, topic: str, body: bytes, state: str = "quarantined") -> None:
    """A webhook that came in."""
    run(
        parts,
        """
        with kept as (
            insert into deliveries (key, shop_id, platform, topic, state, received_at, received_on)
            values (:key, :shop, 'shopify', :topic, :state, app_now(), (app_now() at time zone 'UTC')::date) returning id, received_on
        )
        insert into delivery_bodies (received_on, delivery_id, shop_id, headers, body) select received_on, id, :shop, '', :body from kept
        """,
        key=body,
        shop=shop.id,
        topic=topic,
        state=state,
        body=body,
    )


def file_of(client: TestClient, request: str) -> Any:
    """The answer as a file."""
    answer = client.get(f"/app/privacy/{request}/file")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{request}.json"'
    assert answer.headers["cache-control"] == "no-store"
    return json.loads(answer.content)


def actions(parts: Composition) -> list[str]:
    """What was written down about privacy."""
    with parts.db.engine.begin() as connection:
        return list(connection.execute(text("select action from audit_entries where action like 'privacy.%' order by id")).scalars())


def test_without_requests_the_page_says_what_would_stand_here(client: TestClient, me: str) -> None:
    assert "No requests" in client.get("/app/privacy").text


def test_the_list_shows_every_request_with_its_due_date_and_how_it_stands(
    client: TestClient, parts: Composition, shopify_shop: TestShop, me: str, asks: Asks
) -> None:
    asks(at=AT, number="1")
    asks(at=datetime.now(UTC) - timedelta(days=31), number="2")
    redaction = PersonRedacted(Person(email="gone@example.org"), AT)
    with parts.db.transaction(shop=shopify_shop.id) as session:
        keep(session, parts.services.vault, shopify_shop.id, {0: [redaction]})
    erase.erase(parts.services, shopify_shop.id)
    page = client.get("/app/privacy").text
    assert page.count("A shopper asks for their data") == 2
    assert "20 Dec 2026, 10:00" in page
    for word in ("overdue", "to do", "settled", "Erase a shopper"):
        assert f">{word}<" in page, word
    assert page.index(">overdue<") < page.index(">to do<") < page.index(">settled<")
    assert "gone@example.org" not in page
    assert EMAIL not in page


def test_a_request_shows_all_that_is_kept_of_the_person_and_nothing_of_others(
    client: TestClient, parts: Composition, me: str, anna: None, asks: Asks
) -> None:
    request = asks(Person(customer_id="7"))
    page = client.get(f"/app/privacy/{request}").text
    for heading in ("Customer record", "Contact", "Checkouts", "Orders", "Messages", "Consents", "On the list of those who get nothing"):
        assert f"<h2>{heading}</h2>" in page, heading
    for said in ("Anna", EMAIL, "06 12 34 56 78", "Atelier &lt;Petit&gt;", "1 × Bougie 101", "subscribed", "manual"):
        assert said in page, said
    assert "paul" not in page.lower()


def test_the_file_holds_the_same_and_the_raw_webhooks(
    client: TestClient, parts: Composition, shopify_shop: TestShop, me: str, anna: None, asks: Asks
) -> None:
    keep_delivery(parts, shopify_shop, "orders/x", b'{"email": "Anna.Petit@example.org", "note": "ring twice"}')
    keep_delivery(parts, shopify_shop, "orders/x", b'{"email": "anna.petit@example.org", cut')
    keep_delivery(parts, shopify_shop, "orders/x", b'{"email": "paul@example.org"}')
    said = file_of(client, asks())
    assert [row["first_name"] for row in said["customers"]] == ["Anna"]
    assert said["orders"][0]["total"] == "12.50"
    assert said["checkouts"][0]["lines"][0]["title"] == "Bougie 101"
    assert {row["channel"] for row in said["suppressions"]} == {"sms"}
    assert [row["said"] for row in said["deliveries"]] == [
        {"base64": "eyJlbWFpbCI6ICJhbm5hLnBldGl0QGV4YW1wbGUub3JnIiwgY3V0"},
        {"email": "Anna.Petit@example.org", "note": "ring twice"},
    ]
    assert "paul" not in json.dumps(said).lower()


def test_looking_and_taking_are_written_down_and_the_first_look_is_remembered(
    client: TestClient, parts: Composition, me: str, anna: None, asks: Asks
) -> None:
    request = asks()
    assert scalar(parts, "select opened_at from privacy_requests") is None
    client.get(f"/app/privacy/{request}")
    first = scalar(parts, "select opened_at from privacy_requests")
    assert first is not None
    file_of(client, request)
    assert scalar(parts, "select opened_at from privacy_requests") == first
    assert actions(parts) == ["privacy.opened", "privacy.taken"]
    assert ">looked at<" in client.get("/app/privacy").text


def test_when_the_shopper_has_it_the_request_and_its_notice_are_settled(
    client: TestClient, parts: Composition, post: Post, anna: None, asks: Asks
) -> None:
    request = asks()
    for _ in range(2):
        assert post(f"/app/privacy/{request}/completion").headers["location"] == "/app/privacy?done=request-answered"
    assert scalar(parts, "select state from privacy_requests") == "done"
    assert scalar(parts, "select count(*) from notices where settled_at is null") == 0
    assert actions(parts) == ["privacy.answered"]
    page = client.get(f"/app/privacy/{request}").text
    assert "The shopper has it" not in page
    assert EMAIL in page, "the merchant may want it once more"


def test_a_person_of_whom_nothing_is_kept_gets_that_answer(client: TestClient, me: str, asks: Asks) -> None:
    request = asks(Person(email="stranger@example.org"))
    assert "Nothing is kept of this person." in client.get(f"/app/privacy/{request}").text
    assert all(rows == [] for name, rows in file_of(client, request).items() if name != "is_complete")


def test_once_the_person_is_erased_there_is_nothing_to_show(
    client: TestClient, parts: Composition, shopify_shop: TestShop, me: str, anna: None, asks: Asks
) -> None:
    request = asks()
    with parts.db.transaction(shop=shopify_shop.id) as session:
        keep(session, parts.services.vault, shopify_shop.id, {0: [PersonRedacted(Person(email=EMAIL), datetime.now(UTC))]})
    erase.erase(parts.services, shopify_shop.id)
    page = client.get(f"/app/privacy/{request}")
    assert "There is nothing to show." in page.text
    assert EMAIL not in page.text
    assert client.get(f"/app/privacy/{request}/file").status_code == 303


def test_the_answer_holds_nothing_of_other_shops(client: TestClient, parts: Composition, seed: Seed, me: str, asks: Asks) -> None:
    other = install(parts.db, parts.services.vault, "shopify", "second.myshopify.com", "Second")
    run(parts, "update shops set account_id = (select min(account_id) from shops) where id = :id", id=other.id)
    seed(other, email=EMAIL, first_name="Elsewhere")
    request = asks()
    assert "Elsewhere" not in client.get(f"/app/privacy/{request}").text
    assert file_of(client, request)["checkouts"] == []


def test_an_erasure_has_no_page_of_its_own(client: TestClient, parts: Composition, shopify_shop: TestShop, me: str) -> None:
    with parts.db.transaction(shop=shopify_shop.id) as session:
        kept = privacy.keep_request(session, parts.services.vault, shopify_shop.id, PersonRedacted(Person(email=EMAIL), AT))
    assert kept is not None
    assert client.get(f"/app/privacy/{kept.public_id}").status_code == 404


@pytest.mark.parametrize("role", [Role.MARKETER, Role.READ_ONLY])
def test_only_owners_see_requests(client: TestClient, parts: Composition, shopify_shop: TestShop, role: Role, asks: Asks) -> None:
    sign_in(client, parts, shopify_shop, role)
    assert client.get(f"/app/privacy/{asks()}").status_code == 403
    assert 'href="/app/privacy"' not in client.get("/app").text


def test_the_page_speaks_french(client: TestClient, me: str, anna: None, asks: Asks) -> None:
    request = asks()
    for path in ("/app/privacy", f"/app/privacy/{request}"):
        page = client.get(path, headers={"accept-language": "fr"}).text
        assert "Un client demande ses données" in page
        assert "Reçue le" in page


def test_what_offers_know_of_the_person_is_told_as_well(
    client: TestClient, parts: Composition, shopify_shop: TestShop, me: str, anna: None, asks: Asks
) -> None:
    desk = OfferDesk(parts.services, shopify_shop.id)
    desk.hold_code()
    desk.publish(name="Merci <encore>")
    order = desk.buy(EMAIL, first_name="Anna", customer_id="7")
    desk.buy("paul@example.org", number="#77")
    run(
        parts,
        """
        insert into offer_codes (public_id, shop_id, offer_id, version_id, role, code, email, wanted, actual, created_at,
            changed_at, due_at)
        select 'ofc_1', shop_id, offer_id, version_id, 'unique', 'ANNA-ONLY', email, 'issued', 'issued', app_now(), app_now(), app_now()
        from grants where email = :email
        """,
        email=EMAIL,
    )
    request = asks(Person(customer_id="7"))
    page = client.get(f"/app/privacy/{request}").text
    headings = ("Offers", "E-mails about offers", "Orders that were looked at for an offer", "Codes that are good for this address only")
    for heading in headings:
        assert f"<h2>{heading}</h2>" in page, heading
    for said in ("Merci &lt;encore&gt;", "MERCI10", "ANNA-ONLY", str(order.number), "granted"):
        assert said in page, said
    assert "#77" not in page
    assert "paul" not in page.lower()
    told = file_of(client, request)
    assert [(row["offer"], row["state"], row["email"]) for row in told["grants"]] == [("Merci <encore>", "live", EMAIL)]
    assert [(row["address"], row["state"]) for row in told["grant_mails"]] == [(EMAIL, "queued")]
    assert [(row["number"], row["reason"]) for row in told["grant_decisions"]] == [(order.number, "granted")]
    assert [row["code"] for row in told["offer_codes"]] == ["ANNA-ONLY"]
