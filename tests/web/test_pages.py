"""What every answer has in common, and the small parts that pages are made of."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from fastapi import Request
from starlette.testclient import TestClient

from connector.errors import NotFound
from connector.rules.automations import Reason
from connector.rules.zones import zone
from connector.web.composition import Composition
from connector.web.formats import duration, moment, moment_or_none, money
from connector.web.headers import content_policy
from connector.web.inputs import known_id
from connector.web.language import LANGUAGES
from connector.web.pages import TEMPLATES, ErrorPage, environment, error_page, render
from connector.web.phrases import REASONS, reason_text
from connector.web.shell import Shell
from tests.web.conftest import browser

# ---------------------------------------------------------------- headers


@pytest.mark.parametrize(
    "path",
    ["/", "/sign-in", "/app", "/livez", "/static/style.css", "/nothing", "/r/none", "/u/none", "/connect/woocommerce", "/install/shopify"],
)
def test_no_answer_goes_without_the_headers_that_bind_a_browser(path: str, client: TestClient) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "unsafe" not in policy
    assert re.fullmatch(r"req_[0-9a-f-]{36}", headers["x-request-id"])
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")


def test_pictures_of_pretend_stores_may_be_shown_in_the_sandbox_only(client: TestClient, make_parts: Callable[..., Composition]) -> None:
    assert "img-src 'self' https: http://127.0.0.1:*;" in client.get("/livez").headers["content-security-policy"]
    with browser(make_parts(sandbox=False)) as real:
        assert (
            "img-src 'self' https:; connect-src 'self'; frame-src 'self'; form-action 'self';"
            in real.get("/livez").headers["content-security-policy"]
        )
    assert "form-action 'self' https:;" in content_policy(is_sandbox=False, forms_lead_away=True)


def test_an_error_of_ours_is_a_page_without_details(parts: Composition, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **values: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("connector.web.sign_in.SignInPage", fail)
    with browser(parts, raise_server_exceptions=False) as client:
        answer = client.get("/sign-in")
    assert answer.status_code == 500
    assert "Something broke" in answer.text
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


# ---------------------------------------------------------------- errors


def test_an_unknown_address_is_a_page_that_says_so(client: TestClient) -> None:
    answer = client.get("/nothing/here")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_errors_are_told_in_the_readers_language(client: TestClient) -> None:
    answer = client.get("/nothing/here", headers={"accept-language": "fr"})
    assert '<html lang="fr">' in answer.text
    assert "Cette page n’existe pas" in answer.text
    assert "ne s’utilise pas ainsi" in client.post("/", headers={"accept-language": "fr"}).text


@pytest.mark.spec("SEC-233")
@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/metrics", "/debug"])
def test_nothing_describes_our_inside(path: str, make_parts: Callable[..., Composition]) -> None:
    stranger = browser(make_parts(sandbox=False), address="203.0.113.7")
    assert stranger.get(path).status_code == (401 if path == "/metrics" else 404)
    assert stranger.request("TRACE", path).status_code in (404, 405)


def test_odd_statuses_have_a_title_too() -> None:
    request = Request({"type": "http", "path": "/", "query_string": b"", "headers": [], "server": ("127.0.0.1", 1), "scheme": "http"})
    assert b"I&#39;m a Teapot" in error_page(request, 418, "short and stout").body
    assert b"<h1>Error</h1>" in error_page(request, 499, "gone").body


@pytest.mark.parametrize(
    "name", ["1", "shp_", "shp_0198c5f2-0000-7000-8000-00000000000G", "shp_0198c5f2-0000-7000-8000-000000000000 ", "\x00"]
)
def test_a_name_that_we_never_gave_does_not_reach_the_database(name: str) -> None:
    with pytest.raises(NotFound):
        known_id(name)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"email=" + b"x" * 70_000, 413),
        (b"&".join(b"a%d=1" % number for number in range(60)), 400),
        (b"email=\xff", 400),
        (b"email=%00", 400),
        (b"", 403),
    ],
)
def test_only_a_small_plain_form_is_read(body: bytes, status: int, client: TestClient) -> None:
    answer = client.post("/sign-in", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == status


# ---------------------------------------------------------------- templates and formats


def test_every_template_compiles() -> None:
    names = [path.name for path in TEMPLATES.glob("*.html")]
    assert len(names) >= 10
    for name in names:
        for language in LANGUAGES:
            environment(language).get_template(name)


@pytest.mark.spec("SEC-190")
def test_what_others_wrote_is_shown_as_text() -> None:
    shell = Shell(language="en", path="/<script>alert(1)</script>", who='"><img src=x onerror=alert(1)>')
    page = render(
        shell, "error.html", ErrorPage("<script>alert(1)</script>", '"><img src=x onerror=alert(1)> {{7*7}}', "/", "To the start")
    ).body.decode()
    assert "<script>" not in page
    assert "<img src=x" not in page
    assert "{{7*7}}" in page


def test_money_is_exact_and_names_its_currency() -> None:
    assert money(Decimal("1234.5"), "EUR") == "€1,234.50"
    assert money(Decimal(1200), "JPY") == "¥1,200"
    assert money(Decimal("0.1"), "XYZ") == "XYZ0.10"
    assert money(Decimal("2.345"), "EUR") == "€2.35"
    assert money(Decimal("9" * 40), "EUR") == f"{'9' * 40} EUR"
    assert money(Decimal("1234.5"), "EUR", "fr") == "1\u202f234,50\xa0€"


def test_instants_are_told_in_the_shops_own_time() -> None:
    at = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)
    assert moment(at, zone("Europe/Paris")).text == "2 Jul 2026, 00:30:05 CEST"
    assert moment(at, zone("Europe/Paris")).iso == "2026-07-02T00:30:05+02:00"
    assert moment_or_none(None, UTC) is None
    assert moment(at, zone("Nowhere")).text == "1 Jul 2026, 22:30:05 UTC"
    assert moment(at, zone("Europe/Paris"), "fr").short == "2 juil. 2026, 00:30"


@pytest.mark.parametrize("name", ["", "Mars/Base", "../up", "Europe"])
def test_an_unknown_zone_is_read_as_utc(name: str) -> None:
    assert zone(name).utcoffset(datetime.now(UTC)) == timedelta()


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "0 minutes"), (1, "1 minute"), (20, "20 minutes"), (60, "1 hour"), (90, "1 hour 30 minutes"), (2880, "48 hours")],
)
def test_durations_are_told_as_people_say_them(minutes: int, words: str) -> None:
    assert duration(minutes) == words


def test_durations_are_told_in_the_readers_language() -> None:
    assert duration(90, "fr") == "1 heure 30 minutes"


def test_every_reason_has_its_words() -> None:
    assert set(REASONS) == {reason.value for reason in Reason}
    assert reason_text(None) == ""
    assert reason_text("cap_24h") == "cap 24h"
