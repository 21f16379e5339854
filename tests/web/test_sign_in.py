"""How members come in and go: by a link, once, in the browser that asked for it."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.store import members, sign_in_links
from connector.web import cookies
from connector.web.asking import token_of
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import browser, run, scalar
from tests.web.signing import keep, links_in, send, sign_in

EMAIL = "Marta@Example.com"


@pytest.fixture
def marta(parts: Composition, shopify_shop: TestShop) -> str:
    """A marketer of the shop's account; her public id."""
    account_id = int(scalar(parts, "select account_id from shops where id = :id", id=shopify_shop.id))
    with parts.db.system_transaction("a member for a test") as session:
        return members.add(session, account_id, EMAIL, Role.MARKETER).public_id


def mails(parts: Composition) -> list[dict[str, str]]:
    """What was queued to be mailed, oldest first."""
    with parts.db.engine.begin() as connection:
        sealed = connection.exec_driver_sql("select sealed from system_mails order by id").scalars().all()
    return [parts.services.vault.open(bytes(one)) for one in sealed]


def ask_for_link(client: TestClient, parts: Composition, email: str = EMAIL) -> str:
    """Ask for a link and read it in the mail."""
    assert send(client, parts, "/sign-in", email=email).status_code == 200
    [link] = links_in(mails(parts)[-1]["text"])
    return link


def is_signed_in(client: TestClient) -> bool:
    return client.get("/app/audit").status_code in (200, 403)


def test_a_link_signs_in_by_its_pages_button(client: TestClient, parts: Composition, marta: str) -> None:
    link = ask_for_link(client, parts)
    assert mails(parts)[-1]["to"] == EMAIL
    assert client.get(link).status_code == 200
    assert not is_signed_in(client), "opening the link alone must not sign in: mail filters open every link"
    answer = send(client, parts, link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/app")
    assert is_signed_in(client)
    entry = "select actor || ' ' || action from audit_entries where action = 'session.began'"
    assert scalar(parts, entry) == f"member {marta} session.began"


def test_a_link_is_good_once(client: TestClient, parts: Composition, marta: str) -> None:
    link = ask_for_link(client, parts)
    assert send(client, parts, link).status_code == 303
    client.cookies.delete(cookies.SESSION)
    answer = send(client, parts, link)
    assert answer.status_code == 403
    assert "ask for a new one" in answer.text
    assert not is_signed_in(client)


def test_a_link_is_good_in_the_browser_that_asked_only(client: TestClient, parts: Composition, marta: str) -> None:
    link = ask_for_link(client, parts)
    with browser(parts) as other:
        keep(other, cookies.BROWSER, "o" * 32)
        answer = other.post(link, data={"csrf": token_of(parts, "o" * 32)})
        assert answer.status_code == 403
        assert not is_signed_in(other)
    assert send(client, parts, link).status_code == 303, "the wrong browser used nothing up"


def test_a_link_is_good_for_15_minutes(client: TestClient, parts: Composition, marta: str) -> None:
    link = ask_for_link(client, parts)
    run(parts, "update app_clock set ahead = interval '15 minutes 1 second'")
    assert send(client, parts, link).status_code == 403


def test_nobody_learns_who_is_a_member(client: TestClient, parts: Composition, marta: str) -> None:
    known, unknown = send(client, parts, "/sign-in", email=EMAIL), send(client, parts, "/sign-in", email="nobody@example.com")
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace(EMAIL, "") == unknown.text.replace("nobody@example.com", "")
    assert len(mails(parts)) == 1


def test_an_address_of_two_accounts_gets_a_link_to_each(client: TestClient, parts: Composition, marta: str, woo_shop: TestShop) -> None:
    account_id = int(scalar(parts, "select account_id from shops where id = :id", id=woo_shop.id))
    with parts.db.system_transaction("a second membership") as session:
        members.add(session, account_id, EMAIL.lower(), Role.OWNER)
    assert send(client, parts, "/sign-in", email=EMAIL).status_code == 200
    [mail] = mails(parts)
    assert "Démo" in mail["text"]
    assert "Boutique" in mail["text"]
    for link, name in zip(links_in(mail["text"]), ("Démo", "Boutique"), strict=True):
        assert send(client, parts, link).status_code == 303
        assert name in client.get("/app/members" if name == "Boutique" else "/app/audit").text or name == "Démo"


def test_a_mailbox_is_not_filled(client: TestClient, parts: Composition, marta: str) -> None:
    for _ in range(8):
        assert send(client, parts, "/sign-in", email=EMAIL).status_code == 200
    assert len(mails(parts)) == 5


def ask_often(parts: Composition, address: str) -> list[int]:
    with browser(parts, address=address) as one:
        return [send(one, parts, "/sign-in", email=f"somebody{number}@example.com").status_code for number in range(22)]


def test_one_address_of_the_net_does_not_ask_for_ever(parts: Composition) -> None:
    assert ask_often(parts, "9.9.9.9") == [200] * 20 + [429] * 2
    assert ask_often(parts, "8.8.8.8")[0] == 200
    run(parts, "update app_clock set ahead = interval '16 minutes'")
    assert ask_often(parts, "9.9.9.9")[0] == 200


@pytest.mark.parametrize("proxy", ["127.0.0.1", "10.0.0.5", "172.17.0.1"])
def test_everybody_behind_a_proxy_nobody_told_us_of_may_still_sign_in(proxy: str, parts: Composition) -> None:
    assert ask_often(parts, proxy) == [200] * 22


def test_what_is_no_address_is_told(client: TestClient, parts: Composition) -> None:
    answer = send(client, parts, "/sign-in", email="marta")
    assert answer.status_code == 422
    assert "e-mail address" in answer.text
    assert mails(parts) == []


def test_the_member_comes_to_the_page_that_was_wanted(client: TestClient, parts: Composition, marta: str) -> None:
    answer = client.get("/app/keys?before=1")
    assert answer.headers["location"] == "/sign-in?next=%2Fapp%2Fkeys%3Fbefore%3D1"
    assert 'value="/app/keys?before=1"' in client.get(answer.headers["location"]).text
    assert send(client, parts, "/sign-in", email=EMAIL, next="/app/keys?before=1").status_code == 200
    text = mails(parts)[-1]["text"]
    assert "next=%2Fapp%2Fkeys%3Fbefore%3D1" in text
    assert send(client, parts, links_in(text)[0], next="/app/keys?before=1").headers["location"] == "/app/keys?before=1"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/app\nx", "app"])
def test_nobody_is_led_away_after_signing_in(target: str, client: TestClient, parts: Composition, marta: str) -> None:
    link = ask_for_link(client, parts)
    assert send(client, parts, link, next=target).headers["location"] == "/app"


def test_signing_in_ends_the_session_before(client: TestClient, parts: Composition, marta: str) -> None:
    send(client, parts, ask_for_link(client, parts))
    first = client.cookies.get(cookies.SESSION)
    send(client, parts, ask_for_link(client, parts))
    assert client.cookies.get(cookies.SESSION) != first
    with browser(parts) as thief:
        keep(thief, cookies.SESSION, str(first))
        assert not is_signed_in(thief)


def test_signing_out_ends_the_session_on_the_server(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    sign_in(client, parts, shopify_shop)
    token = str(client.cookies.get(cookies.SESSION))
    answer = send(client, parts, "/sign-out")
    assert answer.headers["location"] == "/sign-in?done=signed-out"
    assert "You are signed out." in client.get(answer.headers["location"]).text
    keep(client, cookies.SESSION, token)
    assert not is_signed_in(client)


def test_signing_out_everywhere_ends_all_sessions_of_that_member(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    with browser(parts) as phone, browser(parts) as colleague:
        sign_in(phone, parts, shopify_shop)
        sign_in(colleague, parts, shopify_shop, Role.READ_ONLY)
        sign_in(client, parts, shopify_shop)
        send(client, parts, "/sign-out", everywhere="yes")
        assert [is_signed_in(one) for one in (client, phone, colleague)] == [False, False, True]


def test_a_removed_member_is_out_at_once(client: TestClient, parts: Composition, shopify_shop: TestShop) -> None:
    with browser(parts) as colleague:
        public_id = sign_in(colleague, parts, shopify_shop, Role.READ_ONLY)
        assert is_signed_in(colleague)
        sign_in(client, parts, shopify_shop)
        assert send(client, parts, f"/app/members/{public_id}/removal").status_code == 303
        assert not is_signed_in(colleague)


def test_the_token_is_exchanged_and_a_copy_of_the_old_one_ends_the_session(
    client: TestClient, parts: Composition, shopify_shop: TestShop
) -> None:
    sign_in(client, parts, shopify_shop)
    first = str(client.cookies.get(cookies.SESSION))
    run(parts, "update app_clock set ahead = interval '16 minutes'")
    assert is_signed_in(client)
    assert client.cookies.get(cookies.SESSION) != first
    assert is_signed_in(client)
    run(parts, "update app_clock set ahead = interval '18 minutes'")
    with browser(parts) as thief:
        keep(thief, cookies.SESSION, first)
        assert not is_signed_in(thief)
    assert not is_signed_in(client), "nobody can tell who copied from whom, so both are out"
    assert scalar(parts, "select count(*) from audit_entries where action = 'session.reused'") == 1


def test_outside_the_sandbox_cookies_are_bound_to_our_host_and_to_https(
    make_parts: Callable[..., Composition], shopify_shop: TestShop
) -> None:
    parts = make_parts(sandbox=False)
    with browser(parts, origin="https://connector.test") as client:
        client.get("/sign-in")
        [browser_cookie] = [
            value for name, value in client.get("/sign-in", headers={"cookie": ""}).headers.multi_items() if name == "set-cookie"
        ]
        sign_in(client, parts, shopify_shop)
        run(parts, "update app_clock set ahead = interval '16 minutes'")
        [session_cookie] = [value for name, value in client.get("/app/audit").headers.multi_items() if name == "set-cookie"]
    for cookie, name in ((browser_cookie, "__Host-browser="), (session_cookie, "__Host-session=")):
        assert cookie.startswith(name)
        for attribute in ("HttpOnly", "Path=/", "SameSite=lax", "Secure"):
            assert attribute in cookie
        assert "Domain" not in cookie


def test_a_link_that_fits_every_browser_is_refused_outside_the_sandbox(client: TestClient, parts: Composition, marta: str) -> None:
    member_id = int(scalar(parts, "select id from members where public_id = :id", id=marta))
    with parts.db.system_transaction("a demo's link") as session:
        sign_in_links.make(session, parts.services.vault, "t" * 32, None, member_id=member_id)
    run(parts, "update app_clock set ahead = interval '0', is_sandbox = false")
    try:
        assert send(client, parts, f"/sign-in/{'t' * 32}").status_code == 403
    finally:
        run(parts, "update app_clock set is_sandbox = true")
    assert send(client, parts, f"/sign-in/{'t' * 32}").status_code == 303


def test_the_reader_chooses_the_language(client: TestClient, parts: Composition) -> None:
    assert '<html lang="en">' in client.get("/sign-in").text
    assert '<html lang="fr">' in client.get("/sign-in", headers={"accept-language": "fr-FR"}).text
    answer = send(client, parts, "/language", language="fr", next="/sign-in")
    assert answer.headers["location"] == "/sign-in"
    assert "Se connecter" in client.get("/sign-in").text
    assert send(client, parts, "/language", language="tlh", next="https://evil.example").headers["location"] == "/app"
    assert "Se connecter" in client.get("/sign-in").text
