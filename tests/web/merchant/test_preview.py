"""The reminder as shoppers will get it, in a frame and as a test to oneself."""

import base64
import hashlib
import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.store import reports, system_mails
from connector.store.reports import ShopDays
from connector.store.system_mails import SystemMail
from connector.web.composition import Composition
from connector.web.merchant.mail_policy import mail_policy
from tests.conftest import TestShop
from tests.factories import at, make_line
from tests.web.conftest import Seed, browser, run, scalar
from tests.web.merchant.conftest import Post, plain
from tests.web.signing import send, sign_in


@pytest.fixture
def url(here: str) -> str:
    """The page of the preview."""
    return f"{here}/preview"


def queued(parts: Composition) -> list[SystemMail]:
    """The mails that wait, opened."""
    found: list[SystemMail] = []
    with parts.db.system_transaction("a test") as session:
        while (claimed := system_mails.claim(session)) is not None:
            mail = system_mails.open_mail(parts.services.vault, claimed)
            assert isinstance(mail, SystemMail)
            assert claimed.kind == "preview"
            found.append(mail)
    return found


def test_without_a_checkout_sample_data_is_shown_in_the_name_of_the_shop(client: TestClient, url: str) -> None:
    page = client.get(url).text
    assert "so this shows sample data" in page
    assert "Bol en grès" in client.get(f"{url}/mail").text
    assert "Démo" in client.get(f"{url}/mail").text
    assert "Boutique Test" not in page


def test_the_latest_full_checkout_is_shown_and_named(
    client: TestClient, shopify_shop: TestShop, seed: Seed, parts: Composition, url: str
) -> None:
    run(parts, "update automations set extra_text = 'À bientôt'")
    first = seed(shopify_shop, minutes=30, number="#1", lines=(make_line("101", 2, title="Lampe", total=Decimal("25.00")),))
    seed(shopify_shop, minutes=20, platform_id="t2", token="t2", number="#2", lines=())
    seed(shopify_shop, minutes=10, platform_id="t3", token="t3", number="#3", email=None)
    page = client.get(url).text
    assert f'<a href="/app/checkouts/{first}" data-panel>#1</a>' in page
    assert "Lampe" in page
    mail = client.get(f"{url}/mail").text
    for words in ("Lampe", "À bientôt", "25,00"):
        assert words in mail
    assert "recover/tok-1" not in mail, "the shopper's own link must not be followed from a preview"


def test_what_cannot_be_composed_says_why(client: TestClient, parts: Composition, url: str, post: Post) -> None:
    run(parts, "update shops set url = 'https://a b'")
    answer = client.get(url)
    assert answer.status_code == 422
    assert "The e-mail could not be written from this checkout: a link in a message must be" in plain(answer.text)
    assert "<iframe" not in answer.text
    assert client.get(f"{url}/mail").text == ""
    assert post(url).status_code == 422
    assert queued(parts) == []


# ---------------------------------------------------------------- the frame


def test_the_mail_may_do_nothing_but_be_shown(client: TestClient, url: str) -> None:
    answer = client.get(f"{url}/mail")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert policy["form-action"] == "'none'"
    assert "sandbox" in policy
    assert policy["sandbox"] == ""
    assert "script-src" not in policy
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert policy["style-src"].startswith("'unsafe-hashes' 'sha256-")
    assert re.search(r"<iframe [^>]*sandbox[ >]", client.get(url).text)


def test_exactly_the_styles_of_the_mail_are_allowed() -> None:
    html = """<p style="color:red">a</p><p style="color:red">b</p><style>p { top: 0 }</style>
        <b style="font:&quot;A&quot;">c</b><i style="">d</i>"""
    digests = [hashlib.sha256(text.encode()).digest() for text in ("color:red", "p { top: 0 }", 'font:"A"')]
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    policy = mail_policy(html, is_sandbox=False)
    assert f"style-src 'unsafe-hashes' {hashes};" in policy
    assert "img-src https:;" in policy
    assert "127.0.0.1" in mail_policy(html, is_sandbox=True)
    assert "style-src 'none'" in mail_policy("<p>no styles</p>", is_sandbox=False)


@given(some.text(alphabet="abcé<>\"'&;{}:\n\r \u2028", max_size=60))
def test_no_mail_can_write_into_its_own_policy(text: str) -> None:
    policy = mail_policy(f'<p style="{text}">x</p><style>{text}</style>', is_sandbox=False)
    assert re.fullmatch(r"[a-zA-Z0-9'+/=:; -]+", policy)
    assert policy.count("script-src") == 0


# ---------------------------------------------------------------- send me a preview


@pytest.mark.spec("SQ-19")
@pytest.mark.parametrize("has_checkout", [True, False])
def test_one_test_goes_to_the_members_own_address_and_counts_nowhere(
    has_checkout: bool, parts: Composition, shopify_shop: TestShop, seed: Seed, url: str, post: Post, me: str
) -> None:
    if has_checkout:
        seed(shopify_shop, lines=(make_line(title="Lampe"),))
    answer = post(url)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{url}?done=preview-sent")
    (mail,) = queued(parts)
    mine = scalar(parts, "select email from members where public_id = :me", me=me)
    assert mail.to == mine
    assert mail.subject.startswith("[Test] ")
    assert ("Lampe" if has_checkout else "Bol en grès") in mail.text
    assert mail.html.count("test") >= 1
    assert mail.sender == '"Démo" <connector@localhost>'
    for table in ("messages", "enrollments", "decisions"):
        assert scalar(parts, f"select count(*) from {table}") == 0
    with parts.db.transaction(shop=shopify_shop.id) as session:
        days = ShopDays(shopify_shop.id, (at(-10_000_000), at(10_000_000)))
        assert [one.figures.sent for one in reports.daily_figures(session, [days])] == []
    entry = scalar(parts, "select concat_ws(' ', actor, object like 'sml_%') from audit_entries where action = 'preview.sent'")
    assert entry == f"member {me} t"


def test_nobody_floods_their_own_mailbox(parts: Composition, url: str, post: Post) -> None:
    for _ in range(5):
        assert post(url).status_code == 303
    answer = post(url)
    assert answer.status_code == 422
    assert "You have sent yourself 5 previews within an hour." in answer.text
    assert len(queued(parts)) == 5
    run(parts, "update attempts set since = since - interval '61 minutes'")
    assert post(url).status_code == 303


def test_a_member_without_an_address_gets_no_preview(parts: Composition, url: str, post: Post) -> None:
    run(parts, "update members set email = null, email_norm = null")
    answer = post(url)
    assert answer.status_code == 422
    assert "there is nowhere to send the preview" in answer.text


def test_without_a_way_to_send_there_is_no_preview_outside_the_sandbox(
    make_parts: Callable[..., Composition], shopify_shop: TestShop, url: str
) -> None:
    there = make_parts(sandbox=False, smtp_url=None)
    with browser(there, origin="https://connector.test") as client:
        sign_in(client, there, shopify_shop)
        answer = send(client, there, url)
    assert answer.status_code == 422
    assert "SMTP_URL" in answer.text


def test_who_may_only_look_sees_the_mail_and_cannot_send_it(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str
) -> None:
    sign_in(client, parts, shopify_shop, Role.READ_ONLY)
    page = client.get(url).text
    assert "<iframe" in page
    assert "Send me a preview" not in page
    assert send(client, parts, url).status_code == 403
    assert queued(parts) == []
