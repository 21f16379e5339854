"""Sign-in, members, keys and audit in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from connector.rules.permissions import StaffRole
from connector.store import passwords, staff
from connector.web.composition import Composition
from tests.browser.conftest import Opens
from tests.browser.kit import HOSTILE, assert_look, assert_looks_right, faults_of
from tests.conftest import TestShop
from tests.web.conftest import run, scalar
from tests.web.signing import links_in
from tests.web.test_sign_in import mails

PASSWORD = "correct horse battery staple"


@pytest.fixture
def sam(parts: Composition) -> str:
    """One of the staff who never signed in; their address."""
    with parts.db.system_transaction("one of the staff for a test") as session:
        staff.add(session, "sam@support.example", "Sam", StaffRole.SUPPORT, passwords.hash_password(PASSWORD))
    return "sam@support.example"


def ask_for_link(page: Page) -> None:
    page.locator("input[name=email]").fill("marta@example.com")
    page.locator("main form button").click()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/sign-in", "sign-in"),
        ("/sign-in/not-a-token", "sign-in-link"),
        ("/support/sign-in", "staff-sign-in"),
        ("/connect/woocommerce", "connect-woocommerce"),
        ("/install/woocommerce/done", "not-connected"),
    ],
)
def test_how_the_public_pages_look(path: str, name: str, visitor_page: Opens) -> None:
    assert_looks_right(visitor_page, path, name)


def test_how_the_answer_to_a_wish_for_a_link_looks(visitor_page: Opens) -> None:
    assert_looks_right(visitor_page, "/sign-in", "sign-in-sent", prepare=ask_for_link)


def test_how_the_second_factor_looks(visitor_page: Opens, sam: str) -> None:
    def show(page: Page) -> None:
        page.locator("input[name=email]").fill(sam)
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("main form button").click()
        expect(page.locator("img.qr")).to_be_visible()
        page.locator("img.qr").evaluate("one => one.decode()")  # fails for a picture that cannot be drawn

    assert_looks_right(visitor_page, "/support/sign-in", "second-factor", prepare=show)


@pytest.mark.parametrize(("path", "name"), [("/app/members", "members"), ("/app/keys", "keys"), ("/app/audit", "audit")])
def test_how_the_account_pages_look(path: str, name: str, member_page: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    statement = """insert into audit_entries (account_id, shop_id, actor, action, object, reason, at, request_id)
        select account_id, id, 'member mem_1', 'automation.on', 'aut_01a20273-ec86-723e-9249-76ab2821d310', 'asked by the owner', now(),
        'req_01a20273-ec86-723e-9249-76ab2821d310' from shops"""
    run(parts, statement)
    assert_looks_right(member_page, path, name)


def test_a_member_signs_in_works_and_signs_out(visitor_page: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    run(parts, "update members set email = 'marta@example.com', email_norm = 'marta@example.com'")
    page = visitor_page()
    page.goto("/app/keys")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    ask_for_link(page)
    expect(page.get_by_role("heading", name="Look into your mailbox")).to_be_visible()
    page.goto(links_in(mails(parts)[-1]["text"])[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{page.url.partition('/app')[0]}/app")
    page.goto("/app/keys")
    page.get_by_label("Name").fill("Reports")
    page.get_by_label("Read shops").check()
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("#fresh").inner_text()
    assert key.startswith("ck_")
    assert_look(page, "keys-fresh")
    page.goto("/app/keys")
    assert key not in page.content()
    page.get_by_role("button", name="Revoke Reports").click()
    expect(page.get_by_role("status").filter(has_text="no longer works")).to_be_visible()
    page.locator(".self summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="signed out")).to_be_visible()
    page.goto("/app/keys")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert faults_of(page) == []


def test_the_language_is_chosen_with_a_button_and_stays(visitor_page: Opens) -> None:
    page = visitor_page()
    page.goto("/sign-in")
    page.get_by_role("button", name="Français").click()
    expect(page.get_by_role("heading", name="Se connecter")).to_be_visible()
    page.goto("/connect/woocommerce")
    assert_look(page, "connect-after-choosing", language="fr")


def test_a_keyboard_is_enough_to_sign_in(visitor_page: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    page = visitor_page()
    page.goto("/sign-in")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type("marta@example.com")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Look into your mailbox")).to_be_visible()


@pytest.mark.spec("SEC-190")
@pytest.mark.parametrize("text", HOSTILE)
def test_what_somebody_typed_is_shown_as_text(text: str, member_page: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    run(parts, "update accounts set name = :name", name=text)
    run(parts, "update shops set name = :name", name=text)
    page = member_page()
    page.goto("/app/keys")
    page.get_by_label("Name").fill(text)
    page.get_by_label("Read shops").check()
    page.get_by_role("button", name="Make the key").click()
    for path in ("/app/keys", "/app/members", "/app/audit", "/app"):
        page.goto(path)
        assert text in page.locator("body").inner_text(), path
        assert "alert(1)" not in [script.inner_text() for script in page.locator("script").all()]
    assert faults_of(page) == []
    assert scalar(parts, "select name from api_keys") == " ".join(text.split())


@pytest.mark.parametrize("path", ["/app/transfer", "/app/shops/{shop}/transfer"])
def test_how_moving_a_store_looks(path: str, member_page: Opens, parts: Composition, shopify_shop: TestShop) -> None:
    shop = str(scalar(parts, "select public_id from shops"))
    assert_looks_right(member_page, path.replace("{shop}", shop), "transfer-shop" if "{shop}" in path else "transfer")
