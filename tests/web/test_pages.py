"""What every answer has in common, and the small parts that pages are made of."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from connector.errors import NotFound
from connector.rules.automations import Reason
from connector.web.composition import Composition
from connector.web.formats import duration, moment, moment_or_none, money, zone
from connector.web.inputs import known_id
from connector.web.pages import TEMPLATES, ErrorPage, content_policy, environment, error_page, render
from connector.web.support.phrases import REASONS, reason_text
from tests.conftest import TestShop
from tests.web.conftest import browser, shop_public_id

# ---------------------------------------------------------------- headers


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/static/style.css", "/nothing", "/r/none", "/u/none", "/connect/woocommerce", "/install/shopify"]
)
def test_no_answer_goes_without_the_headers_that_bind_a_browser(path: str, client: TestClient) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self' https:")
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")


def test_pictures_of_pretend_stores_may_be_shown_in_the_sandbox_only(client: TestClient, make_parts: Callable[..., Composition]) -> None:
    assert "img-src 'self' https: http://127.0.0.1:*;" in client.get("/livez").headers["content-security-policy"]
    with browser(make_parts(sandbox=False)) as real:
        assert "img-src 'self' https:; form-action 'self';" in real.get("/livez").headers["content-security-policy"]
    assert "form-action 'self' https:;" in content_policy(is_sandbox=False, forms_lead_away=True)


def test_an_error_of_ours_is_a_page_without_details(parts: Composition, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("connector.web.support.routes.overview_page", fail)
    with browser(parts, raise_server_exceptions=False) as client:
        answer = client.get("/")
    assert answer.status_code == 500
    assert "Something broke" in answer.text
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


# ---------------------------------------------------------------- errors


def test_an_unknown_address_is_a_page_that_says_so(client: TestClient) -> None:
    answer = client.get("/nothing/here")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


@pytest.mark.spec("SEC-148")
def test_what_changes_things_cannot_be_read_and_the_other_way_round(client: TestClient, parts: Composition, woo_shop: TestShop) -> None:
    public_id = shop_public_id(parts, woo_shop)
    assert client.get(f"/shops/{public_id}/webhooks").status_code == 405
    assert client.post("/").status_code == 405
    assert "not used like that" in client.post("/").text


@pytest.mark.spec("SEC-233")
@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/metrics", "/debug"])
def test_nothing_describes_our_inside(path: str, make_parts: Callable[..., Composition]) -> None:
    stranger = browser(make_parts(sandbox=False), address="203.0.113.7")
    assert stranger.get(path).status_code == (401 if path == "/metrics" else 404)
    assert stranger.request("TRACE", path).status_code in (404, 405)


def test_odd_statuses_have_a_title_too() -> None:
    assert b"I&#39;m a Teapot" in error_page(418, "short and stout").body
    assert b"<h1>Error</h1>" in error_page(499, "gone").body


@pytest.mark.parametrize(
    "name", ["1", "shp_", "shp_0198c5f2-0000-7000-8000-00000000000G", "shp_0198c5f2-0000-7000-8000-000000000000 ", "\x00"]
)
def test_a_name_that_we_never_gave_does_not_reach_the_database(name: str) -> None:
    with pytest.raises(NotFound):
        known_id(name)


@pytest.mark.spec("SEC-130")
@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"is_on": "on"}', "application/json", 415),
        (b"is_on=on", "text/plain", 415),
        (b"is_on=on", "multipart/form-data; boundary=x", 415),
        (b"extra_text=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"&".join(b"a%d=1" % number for number in range(60)), "application/x-www-form-urlencoded", 400),
        (b"extra_text=\xff", "application/x-www-form-urlencoded", 400),
        (b"extra_text=%00", "application/x-www-form-urlencoded", 400),
    ],
)
def test_only_a_small_plain_form_is_read(
    body: bytes, kind: str, status: int, client: TestClient, parts: Composition, woo_shop: TestShop
) -> None:
    answer = client.post(f"/shops/{shop_public_id(parts, woo_shop)}/automation", content=body, headers={"content-type": kind})
    assert answer.status_code == status


# ---------------------------------------------------------------- templates and formats


def test_every_template_compiles() -> None:
    names = [path.name for path in TEMPLATES.glob("*.html")]
    assert len(names) >= 10
    for name in names:
        environment().get_template(name)


@pytest.mark.spec("SEC-190")
def test_what_others_wrote_is_shown_as_text() -> None:
    page = render("error.html", ErrorPage("<script>alert(1)</script>", '"><img src=x onerror=alert(1)> {{7*7}}')).body.decode()
    assert "<script>" not in page
    assert "<img src=x" not in page
    assert "{{7*7}}" in page


def test_money_is_exact_and_names_its_currency() -> None:
    assert money(Decimal("1234.5"), "EUR") == "€1,234.50"
    assert money(Decimal(1200), "JPY") == "¥1,200"
    assert money(Decimal("0.1"), "XYZ") == "XYZ0.10"
    assert money(Decimal("2.345"), "EUR") == "€2.35"
    assert money(Decimal("9" * 40), "EUR") == f"{'9' * 40} EUR"


def test_instants_are_told_in_the_shops_own_time() -> None:
    at = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)
    assert moment(at, zone("Europe/Paris")).text == "2 Jul 2026, 00:30:05 CEST"
    assert moment(at, zone("Europe/Paris")).iso == "2026-07-02T00:30:05+02:00"
    assert moment_or_none(None, UTC) is None
    assert moment(at, zone("Nowhere")).text == "1 Jul 2026, 22:30:05 UTC"


@pytest.mark.parametrize("name", ["", "Mars/Base", "../up", "Europe"])
def test_an_unknown_zone_is_read_as_utc(name: str) -> None:
    assert zone(name).utcoffset(datetime.now(UTC)) == timedelta()


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "0 minutes"), (1, "1 minute"), (20, "20 minutes"), (60, "1 hour"), (90, "1 hour 30 minutes"), (2880, "48 hours")],
)
def test_durations_are_told_as_people_say_them(minutes: int, words: str) -> None:
    assert duration(minutes) == words


def test_every_reason_has_its_words() -> None:
    assert set(REASONS) == {reason.value for reason in Reason}
    assert reason_text(None) == ""
    assert reason_text("cap_24h") == "cap 24h"
