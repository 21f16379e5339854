"""The page inside Shopify's admin: who gets in, what it shows, its switch, and the way to the whole app."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.store import members
from connector.web.composition import Composition
from tests.conftest import install
from tests.web.conftest import browser, run, scalar
from tests.web.embedding import DOMAIN, OWNER, STAFF, FakeShopify, ask, enter, session_token


@pytest.fixture
def shop() -> FakeShopify:
    """The shop's Shopify."""
    return FakeShopify()


@pytest.fixture
def here(make_parts: Callable[..., Composition], shop: FakeShopify) -> Composition:
    """Our process on the real adapter."""
    return make_parts({"shopify": shop.platform(make_parts().settings)})


@pytest.fixture
def client(here: Composition) -> Iterator[TestClient]:
    """A browser with our page in the admin."""
    with browser(here) as one:
        yield one


def code_of(client: TestClient, token: str | None = None) -> str:
    answer = ask(client, "codes", token)
    assert answer.status_code == 200
    return str(answer.json()["code"])


def account(here: Composition) -> int:
    return int(scalar(here, "select account_id from shops where domain = :domain", domain=DOMAIN))


def roles(here: Composition) -> str:
    """Who is known from the admin, and as what."""
    return str(
        scalar(here, "select string_agg(platform_user || ' ' || role, ',' order by id) from members where platform_user is not null")
    )


class TestOpening:
    def test_the_first_opening_connects_the_shop(self, client: TestClient, here: Composition, shop: FakeShopify) -> None:
        answer = ask(client, "opening")
        assert answer.status_code == 200
        assert "Atelier Brume" in answer.text
        assert "Turn on" in answer.text
        assert "Open the full app" in answer.text
        assert shop.asked == ["offline", "graphql", "graphql", "online"], "tokens, the shop, its own subscriptions, the person"
        assert scalar(here, "select state from shops") == "connected"
        assert scalar(here, "select cardinality(missing_scopes) from shops") == 0

    def test_the_next_one_asks_shopify_nothing(self, client: TestClient, shop: FakeShopify) -> None:
        ask(client, "opening")
        shop.asked.clear()
        assert ask(client, "opening").status_code == 200
        assert shop.asked == []

    @pytest.mark.parametrize("lost", ["state = 'uninstalled', credentials = null", "state = 'needs_sign_in'"])
    def test_what_ended_the_access_is_cured_by_opening_again(
        self, lost: str, client: TestClient, here: Composition, shop: FakeShopify
    ) -> None:
        ask(client, "opening")
        run(here, f"update shops set {lost}")
        shop.asked.clear()
        shop.access = "shpat_second"
        assert ask(client, "opening").status_code == 200
        assert shop.asked == ["offline", "graphql", "graphql"]
        sealed = scalar(here, "select credentials from shops")
        assert here.services.vault.open(sealed)["access_token"] == "shpat_second"
        assert scalar(here, "select state from shops") == "connected"
        assert scalar(here, "select count(*) from shops") == 1

    def test_two_pages_that_open_at_once_connect_the_shop_once(self, here: Composition, shop: FakeShopify) -> None:
        shop.slow_seconds = 0.5
        with ThreadPoolExecutor(2) as pool, browser(here) as one, browser(here) as two:
            answers = list(pool.map(lambda client: ask(client, "opening").status_code, (one, two)))
        assert answers == [200, 200]
        assert shop.asked.count("offline") == 1
        assert scalar(here, "select count(*) from members where platform_user is not null") == 1

    def test_a_session_token_that_shopify_does_not_take_is_asked_for_anew(
        self, client: TestClient, here: Composition, shop: FakeShopify
    ) -> None:
        shop.refusal = httpx2.Response(400, json={"error": "invalid_subject_token"})
        answer = ask(client, "opening")
        assert answer.status_code == 401
        assert answer.headers["x-shopify-retry-invalid-session-request"] == "1"
        assert scalar(here, "select count(*) from shops") == 0

    @pytest.mark.parametrize("refusal", [httpx2.Response(500), httpx2.Response(400, json={"error": "invalid_client"})])
    def test_a_shopify_that_does_not_answer_is_told_and_can_be_tried_again(
        self, refusal: httpx2.Response, client: TestClient, here: Composition, shop: FakeShopify
    ) -> None:
        shop.refusal = refusal
        answer = ask(client, "opening")
        assert answer.status_code == 502
        assert "Shopify did not answer as it should" in answer.text
        assert "Try again" in answer.text
        assert scalar(here, "select count(*) from shops") == 0
        shop.refusal = None
        assert ask(client, "opening").status_code == 200

    def test_the_page_speaks_the_language_of_the_admin(self, client: TestClient) -> None:
        assert "Ouvrir l’application complète" in ask(client, "opening", locale="fr-FR").text
        assert "Open the full app" in ask(client, "opening", locale="de").text

    @pytest.mark.parametrize("name", ["opening", "automation", "codes"])
    def test_nothing_is_told_without_a_session_token(self, name: str, client: TestClient, here: Composition, shop: FakeShopify) -> None:
        ask(client, "opening")
        for answer in (client.post(f"/embedded/shopify/{name}"), ask(client, name, ""), ask(client, name, session_token(secret="guess"))):
            assert answer.status_code == 401
            assert answer.headers["x-shopify-retry-invalid-session-request"] == "1"
            assert "Atelier Brume" not in answer.text


class TestWhoIsLetIn:
    def test_the_owner_of_the_store_is_an_owner(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        assert roles(here) == f"shopify:{DOMAIN}:{OWNER} owner"

    def test_others_may_read_and_not_switch(self, client: TestClient, here: Composition, shop: FakeShopify) -> None:
        shop.is_owner, shop.email = False, "noah@brume.example"
        answer = ask(client, "opening", session_token(STAFF))
        assert "Turn on" not in answer.text
        assert "Open the full app" in answer.text
        assert roles(here) == f"shopify:{DOMAIN}:{STAFF} read_only"
        assert ask(client, "automation", session_token(STAFF), is_on=True).status_code == 403
        assert scalar(here, "select is_on from automations") is False

    def test_whoever_may_not_see_customers_in_the_store_does_not_see_them_here(
        self, client: TestClient, here: Composition, shop: FakeShopify
    ) -> None:
        shop.is_owner, shop.own_scopes, shop.email = False, "read_products", "lina@brume.example"
        answer = ask(client, "opening", session_token(STAFF))
        assert "You are not a member" in answer.text
        assert "Open the full app" not in answer.text
        assert ask(client, "codes", session_token(STAFF)).status_code == 403
        assert roles(here) == "None"

    def test_a_member_is_known_by_the_address_that_shopify_verified(self, client: TestClient, here: Composition, shop: FakeShopify) -> None:
        ask(client, "opening")
        with here.db.system_transaction("a member for a test") as session:
            members.add(session, account(here), "Noah@brume.example", Role.MARKETER)
        shop.is_owner, shop.email = False, "noah@brume.example"
        assert "Turn on" in ask(client, "opening", session_token(STAFF)).text
        assert f"shopify:{DOMAIN}:{STAFF} marketer" in roles(here)

    def test_an_address_that_was_not_verified_is_nobodys(self, client: TestClient, here: Composition, shop: FakeShopify) -> None:
        ask(client, "opening")
        with here.db.system_transaction("a member for a test") as session:
            members.add(session, account(here), "noah@brume.example", Role.OWNER)
        shop.is_owner, shop.email, shop.is_verified = False, "noah@brume.example", False
        ask(client, "opening", session_token(STAFF))
        assert f"shopify:{DOMAIN}:{STAFF} read_only" in roles(here)

    def test_whoever_was_removed_stays_out(self, client: TestClient, here: Composition, shop: FakeShopify) -> None:
        shop.is_owner, shop.email = False, "noah@brume.example"
        ask(client, "opening", session_token(STAFF))
        run(here, "update members set removed_at = now() where platform_user is not null")
        answer = ask(client, "opening", session_token(STAFF))
        assert "You are not a member" in answer.text
        assert ask(client, "codes", session_token(STAFF)).status_code == 403

    def test_an_account_with_other_stores_lets_nobody_in_by_itself(self, client: TestClient, here: Composition, shop: FakeShopify) -> None:
        """A member sees every store of the account; Shopify vouches for one."""
        ask(client, "opening")
        install(here.db, here.services.vault, "shopify", "other.myshopify.com", "Other")
        run(here, "update shops set account_id = :account", account=account(here))
        for shop.is_owner in (True, False):
            shop.email = "stranger@brume.example"
            answer = ask(client, "opening", session_token(STAFF))
            assert "You are not a member" in answer.text
            assert ask(client, "codes", session_token(STAFF)).status_code == 403
        assert roles(here) == f"shopify:{DOMAIN}:{OWNER} owner"

    def test_it_is_written_down_who_came_in(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        assert scalar(here, "select reason from audit_entries where action = 'member.recognised'") == "owner"


class TestState:
    def test_missing_permissions_are_named(self, client: TestClient, here: Composition, shop: FakeShopify) -> None:
        shop.scopes = "read_orders"
        answer = ask(client, "opening")
        assert "The connection is incomplete." in answer.text
        for scope in ("read_customers", "read_products", "write_discounts"):
            assert f"<code>{scope}</code>" in answer.text

    def test_what_shopify_keeps_from_us_is_named(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        run(here, "update shops set withheld = array['email', 'order.phone']")
        assert "Shopify does not give this app: e-mail addresses, phone numbers." in ask(client, "opening").text
        assert (
            "Shopify ne transmet pas à cette application : adresses e-mail, numéros de téléphone."
            in ask(client, "opening", locale="fr").text
        )

    def test_what_owners_were_told_is_told_here_too(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        told = """
            insert into notices (public_id, account_id, shop_id, cause, cause_key, at)
            select 'ntc_1', account_id, id, 'gap_found', 'lately', now() from shops
        """
        run(here, told)
        assert "The store did not tell us everything." in ask(client, "opening").text
        run(here, "update notices set settled_at = now()")
        assert "Needs attention" not in ask(client, "opening").text


class TestSwitch:
    def test_on_and_off(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        assert "Turn off" in ask(client, "automation", is_on=True).text
        assert scalar(here, "select is_on from automations") is True
        assert "Turn on" in ask(client, "automation", is_on=False).text
        assert scalar(here, "select is_on from automations") is False
        actions = scalar(
            here, "select string_agg(action || ' ' || actor, ',' order by id) from audit_entries where action like 'automation%'"
        )
        member = scalar(here, "select public_id from members where platform_user is not null")
        assert actions == f"automation.on member {member},automation.off member {member}"

    def test_why_it_stays_off_is_said(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        run(here, "update shops set contact_email = null, contact_address = null")
        answer = ask(client, "automation", is_on=True)
        assert answer.status_code == 422
        assert "every message must say who sends it" in answer.text
        assert scalar(here, "select is_on from automations") is False

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"is_on": "yes"}', b"\xff", b"[" * 5000])
    def test_what_makes_no_sense_changes_nothing(self, body: bytes, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        headers = {"authorization": f"Bearer {session_token()}"}
        assert client.post("/embedded/shopify/automation", content=body, headers=headers).status_code == 400

    def test_a_shop_that_was_uninstalled_has_no_switch(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        run(here, "update shops set state = 'uninstalled', credentials = null")
        assert ask(client, "automation", is_on=True).status_code == 404
        assert ask(client, "codes").status_code == 404


class TestEntrance:
    def test_the_code_leads_to_the_whole_app(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        answer = enter(client, code_of(client))
        public_id = scalar(here, "select public_id from shops")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/app/shops/{public_id}")
        assert client.get(answer.headers["location"]).status_code == 200

    def test_it_is_good_once(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        code = code_of(client)
        assert enter(client, code).status_code == 303
        with browser(here) as thief:
            assert enter(thief, code).status_code == 403
            assert thief.get("/app").status_code == 303

    @pytest.mark.parametrize(("seconds", "status"), [(45, 303), (60, 403), (3600, 403)])
    def test_it_is_good_for_a_minute(self, seconds: int, status: int, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        code = code_of(client)
        run(here, "update admin_codes set created_at = created_at - :old", old=timedelta(seconds=seconds))
        assert enter(client, code).status_code == status

    def test_only_a_hash_of_it_is_kept_and_old_ones_go(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        code = code_of(client)
        assert code.encode() not in bytes(scalar(here, "select code_hash from admin_codes"))
        run(here, "update admin_codes set created_at = created_at - interval '2 minutes'")
        code_of(client)
        assert scalar(here, "select count(*) from admin_codes") == 1

    @pytest.mark.parametrize("code", ["", "x", "é", "0" * 5000])
    def test_what_is_no_code_leads_nowhere(self, code: str, client: TestClient) -> None:
        assert enter(client, code).status_code == 403

    @pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}])
    def test_another_site_can_sign_nobody_in(self, headers: dict[str, str], client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        code = code_of(client)
        assert enter(client, code, **headers).status_code == 403
        assert client.get("/app").status_code == 303

    def test_whoever_left_meanwhile_does_not_come_in(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        code = code_of(client)
        run(here, "update members set removed_at = now()")
        assert enter(client, code).status_code == 403

    def test_a_shop_that_moved_meanwhile_is_not_entered(self, client: TestClient, here: Composition) -> None:
        ask(client, "opening")
        code = code_of(client)
        run(here, "update shops set account_id = (select min(id) from accounts)")
        assert enter(client, code).status_code == 403
