"""The merchant's switch, delay, clock and text."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role
from connector.store.db import Wake
from connector.web.composition import Composition
from sync.send import claim
from tests.conftest import TestShop
from tests.web.conftest import Seed, abandon, browser, run, scalar, turn_on
from tests.web.merchant.conftest import Post, plain
from tests.web.signing import send, sign_in


@pytest.fixture
def url(here: str) -> str:
    """The page of the shop's automation."""
    return f"{here}/automation"


def is_on(parts: Composition) -> bool:
    return bool(scalar(parts, "select is_on from automations"))


def audited(parts: Composition) -> list[str]:
    """What was written down, oldest first, as `action reason`."""
    entries = "select array_agg(concat_ws(' ', action, reason) order by id) from audit_entries where action like 'automation.%'"
    return list(scalar(parts, entries) or [])


# ---------------------------------------------------------------- the switch


@pytest.mark.spec("SQ-01")
def test_a_new_store_sends_nothing_until_its_automation_is_turned_on(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str, seed: Seed, me: str, post: Post
) -> None:
    page = client.get(url)
    assert "Nothing is sent." in page.text
    assert ">Turn on</button>" in page.text
    seed(shopify_shop, minutes=90)
    assert abandon(parts, shopify_shop) == 1
    assert scalar(parts, "select count(*) from messages") == 0
    assert post(url, is_on="on").headers["location"] == f"{url}?done=automation-on"
    assert is_on(parts)
    assert ">Turn off</a>" in client.get(url).text
    entry = scalar(parts, "select concat_ws(' ', actor, action, request_id is not null) from audit_entries where action like 'automation%'")
    assert entry == f"member {me} automation.on t"


@pytest.mark.spec("SQ-20", "SQ-21")
@pytest.mark.parametrize("back", ["automation", "checkouts"])
def test_turning_it_off_is_asked_first_cancels_what_is_queued_and_nothing_leaves_after(
    back: str, client: TestClient, parts: Composition, shopify_shop: TestShop, here: str, seed: Seed, post: Post
) -> None:
    turn_on(parts, shopify_shop)
    for number in range(3):
        seed(shopify_shop, minutes=90, platform_id=f"tok-{number}", token=f"tok-{number}", email=f"p{number}@example.org")
    abandon(parts, shopify_shop)
    assert scalar(parts, "select count(*) from messages where state = 'queued'") == 3
    link = re.search(r'href="([^"]+/off[^"]*)" data-dialog', client.get(f"{here}/{back}").text)
    assert link is not None
    question = client.get(link[1]).text
    assert "3 queued reminders will be cancelled." in question
    assert is_on(parts), "asking alone changes nothing"
    answer = post(f"{here}/automation/off", back=back)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}/{back}?done=automation-off")
    assert scalar(parts, "select string_agg(distinct state || ' ' || reason, ',') from messages") == "cancelled automation_off"
    assert parts.metrics.messages.values() == {("email", "cancelled"): 3}
    assert scalar(parts, "select string_agg(distinct reason, ',') from decisions") == "automation_off"
    assert claim(parts.services, shopify_shop.id) is None
    post(f"{here}/automation", is_on="on")
    assert claim(parts.services, shopify_shop.id) is None
    assert scalar(parts, "select count(*) from messages where state = 'cancelled'") == 3
    assert audited(parts)[-2:] == ["automation.off", "automation.on"]


def test_turning_off_what_is_off_asks_nothing_and_one_is_one(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str, seed: Seed, post: Post
) -> None:
    assert "It is off already." in client.get(f"{url}/off").text
    assert post(f"{url}/off").status_code == 303
    assert audited(parts) == []
    turn_on(parts, shopify_shop)
    assert "0 queued reminders will be cancelled." in client.get(f"{url}/off").text
    seed(shopify_shop, minutes=90)
    abandon(parts, shopify_shop)
    assert "1 queued reminder will be cancelled." in client.get(f"{url}/off").text


def test_the_way_back_is_one_of_our_two_pages_whatever_is_asked_for(client: TestClient, parts: Composition, url: str, post: Post) -> None:
    page = client.get(f"{url}/off", params={"back": "https://evil.example"}).text
    assert 'href="https://evil' not in page
    assert post(f"{url}/off", back="//evil.example").headers["location"] == f"{url}?done=automation-off"


@pytest.mark.spec("SQ-16")
def test_a_shop_without_contact_details_cannot_turn_it_on(parts: Composition, url: str, post: Post) -> None:
    run(parts, "update shops set contact_email = '', contact_address = null")
    answer = post(url, is_on="on", minutes="45", extra_text="x")
    assert answer.status_code == 422
    assert "must say who sends it" in answer.text
    assert "Nothing was changed." in answer.text
    assert not is_on(parts)
    assert scalar(parts, "select threshold_minutes from shops") == 60
    assert audited(parts) == []
    run(parts, "update shops set contact_address = '8 rue du Bac, 75007 Paris'")
    assert post(url, is_on="on").status_code == 303


@pytest.mark.parametrize("state", ["needs_sign_in", "uninstalled"])
def test_a_shop_that_is_not_connected_cannot_turn_it_on(state: str, parts: Composition, url: str, post: Post) -> None:
    run(parts, "update shops set state = :state", state=state)
    answer = post(url, is_on="on")
    assert answer.status_code == 422
    assert "The shop is not connected" in answer.text
    assert not is_on(parts)


def test_without_a_way_to_send_it_cannot_be_turned_on_outside_the_sandbox(
    make_parts: Callable[..., Composition], shopify_shop: TestShop, url: str
) -> None:
    there = make_parts(sandbox=False, smtp_url=None)
    with browser(there, origin="https://connector.test") as client:
        sign_in(client, there, shopify_shop)
        answer = send(client, there, url, is_on="on")
        assert answer.status_code == 422
        assert "SMTP_URL" in answer.text
    there = make_parts(sandbox=True, smtp_url=None)
    with browser(there) as client:
        sign_in(client, there, shopify_shop)
        assert send(client, there, url, is_on="on").status_code == 303


def test_turning_it_off_is_always_possible(parts: Composition, shopify_shop: TestShop, url: str, post: Post) -> None:
    turn_on(parts, shopify_shop)
    run(parts, "update shops set state = 'needs_sign_in', contact_email = null, contact_address = null")
    assert post(f"{url}/off").status_code == 303
    assert not is_on(parts)


def test_who_may_only_look_sees_the_settings_and_no_form(client: TestClient, parts: Composition, shopify_shop: TestShop, url: str) -> None:
    sign_in(client, parts, shopify_shop, Role.READ_ONLY)
    page = client.get(url).text
    assert "Your role shows these settings" in page
    assert 'name="extra_text"' not in page
    assert ">Turn on<" not in page
    assert send(client, parts, url, is_on="on").status_code == 403
    assert send(client, parts, f"{url}/off").status_code == 403
    assert client.get(f"{url}/off").status_code == 403
    assert not is_on(parts)


# ---------------------------------------------------------------- the delay


@pytest.mark.spec("SQ-10")
def test_the_delay_is_set_while_turning_on_and_an_empty_one_is_refused(
    client: TestClient, parts: Composition, here: str, url: str, post: Post
) -> None:
    page = client.get(f"{here}/checkouts").text
    assert '<option value="60" selected>1 hour (suggested)</option>' in page
    for fields in ({"delay": "other", "minutes": " "}, {"delay": "other"}, {"delay": ""}, {"minutes": ""}):
        answer = post(url, is_on="on", back="checkouts", **fields)
        assert answer.status_code == 422
        assert "between 20 minutes and 48 hours" in answer.text
        assert not is_on(parts)
    answer = post(url, is_on="on", delay="other", minutes="45", back="checkouts")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}/checkouts?done=automation-on")
    assert is_on(parts)
    assert scalar(parts, "select threshold_minutes from shops") == 45
    assert "one reminder after 45 minutes" in client.get(f"{here}/checkouts").text


@pytest.mark.spec("SQ-10")
def test_without_a_word_about_the_delay_the_one_that_is_shown_counts(parts: Composition, url: str, post: Post) -> None:
    assert post(url, is_on="on").status_code == 303
    assert scalar(parts, "select threshold_minutes from shops") == 60


@pytest.mark.spec("SQ-11")
@pytest.mark.parametrize("back", ["checkouts", "automation"])
@pytest.mark.parametrize("minutes", ["20", "2880", "21", "1440"])
def test_any_delay_from_20_minutes_to_48_hours_is_accepted(minutes: str, back: str, parts: Composition, url: str, post: Post) -> None:
    assert post(url, delay="other", minutes=minutes, clock="activity", extra_text="", back=back).status_code == 303
    assert scalar(parts, "select threshold_minutes from shops") == int(minutes)


@pytest.mark.spec("SQ-11")
@pytest.mark.parametrize("back", ["checkouts", "automation"])
@pytest.mark.parametrize("minutes", ["19", "2881", "0", "-20", "20.5", "1e2", "an hour", "٤٥", "9" * 12, ""])
def test_any_other_delay_is_refused_with_the_range(minutes: str, back: str, parts: Composition, url: str, post: Post) -> None:
    answer = post(url, delay="other", minutes=minutes, extra_text="Kept as typed", back=back)
    assert answer.status_code == 422
    problem = re.search(r'class="note bad".*?</div></div>', answer.text, re.DOTALL)
    assert problem is not None
    for words in ("20", "2880", "48 hours"):
        assert words in plain(problem[0])
    assert f'value="{minutes}"' in answer.text
    if back == "automation":
        assert "Kept as typed" in answer.text
    assert scalar(parts, "select threshold_minutes from shops") == 60
    assert scalar(parts, "select extra_text from automations") is None


@pytest.mark.spec("SQ-11")
def test_four_delays_are_offered_on_the_list_and_more_in_the_settings(client: TestClient, here: str, url: str) -> None:
    offered = re.findall(r'<option value="(\w+)"', client.get(f"{here}/checkouts").text.partition('id="list"')[0])
    assert offered == ["20", "60", "1440", "2880", "other"]
    for preset in (20, 30, 60, 120, 360, 600, 1440, 2880):
        assert f'name="delay" value="{preset}"' in client.get(url).text


def test_a_preset_outweighs_the_free_number_beside_it(client: TestClient, parts: Composition, url: str, post: Post) -> None:
    assert post(url, delay="120", minutes="nonsense").status_code == 303
    assert scalar(parts, "select threshold_minutes from shops") == 120
    assert re.search(r'value="120"[^>]* checked', client.get(url).text)
    post(url, delay="other", minutes="77")
    assert re.search(r'value="other"[^>]* checked', client.get(url).text)
    assert post(url, delay="other").status_code == 422


def test_a_new_delay_counts_for_checkouts_that_are_open(
    parts: Composition, shopify_shop: TestShop, url: str, seed: Seed, now: datetime, post: Post
) -> None:
    rung: list[Wake] = []
    parts.db.on_wake(rung.append)
    turn_on(parts, shopify_shop)
    seed(shopify_shop, minutes=40)
    assert scalar(parts, "select due_at from checkouts") == now + timedelta(minutes=20)
    post(url, minutes="30")
    assert scalar(parts, "select due_at from checkouts") == now - timedelta(minutes=10)
    assert Wake("mark_abandoned", shopify_shop.id) in rung
    assert abandon(parts, shopify_shop) == 1


def test_what_is_posted_unchanged_rings_nobody_and_is_not_written_down(parts: Composition, url: str, post: Post) -> None:
    rung: list[Wake] = []
    parts.db.on_wake(rung.append)
    assert post(url, minutes="60", clock="activity", extra_text="").status_code == 303
    assert rung == []
    assert audited(parts) == []


def test_every_change_is_written_down_without_the_text(parts: Composition, url: str, post: Post) -> None:
    post(url, delay="120", clock="addition", extra_text="Call Anna Petit")
    assert audited(parts) == ["automation.delay 60 -> 120 min", "automation.clock activity -> addition", "automation.text"]
    about = scalar(parts, "select count(*) from audit_entries e join automations a on a.public_id = e.object and a.shop_id = e.shop_id")
    assert about == 3


# ---------------------------------------------------------------- the rest


@pytest.mark.spec("SW-02")
def test_the_clock_can_run_from_the_last_addition(
    client: TestClient, parts: Composition, shopify_shop: TestShop, url: str, seed: Seed, now: datetime, post: Post
) -> None:
    seed(shopify_shop, minutes=40)
    seed(shopify_shop, minutes=10, discount_codes=("HELLO",), created_at=now - timedelta(minutes=40))
    assert scalar(parts, "select last_activity_at from checkouts") == now - timedelta(minutes=10)
    assert post(url, clock="addition", minutes="20").status_code == 303
    assert scalar(parts, "select last_activity_at from checkouts") == now - timedelta(minutes=40)
    assert scalar(parts, "select due_at from checkouts") == now - timedelta(minutes=20)
    assert re.search(r'value="addition"[^>]* checked', client.get(url).text)
    assert post(url, clock="moon").status_code == 422
    for word in ("maybe", "off"):
        assert post(url, is_on=word).status_code == 422


def test_the_merchants_own_text_is_kept_as_typed_and_shown_escaped(client: TestClient, parts: Composition, url: str, post: Post) -> None:
    text = "Livraison offerte <b>dès 50 €</b>\r\nÀ bientôt & merci"
    assert post(url, extra_text=f"  {text}  ").status_code == 303
    assert scalar(parts, "select extra_text from automations") == text.replace("\r\n", "\n")
    page = client.get(url).text
    assert "&lt;b&gt;dès 50 €&lt;/b&gt;" in page
    post(url, minutes="30")
    assert scalar(parts, "select extra_text from automations") is not None
    post(url, extra_text=" ")
    assert scalar(parts, "select extra_text from automations") is None


def test_the_merchants_own_text_has_a_limit(parts: Composition, url: str, post: Post) -> None:
    assert post(url, extra_text="é" * 500).status_code == 303
    answer = post(url, extra_text="é" * 501, minutes="30")
    assert answer.status_code == 422
    assert "up to 500 characters; this one has 501" in answer.text
    assert scalar(parts, "select threshold_minutes from shops") == 60


def test_refusals_are_told_in_the_readers_language(client: TestClient, url: str, post: Post) -> None:
    client.cookies.set("language", "fr")
    answer = post(url, delay="other", minutes="19")
    assert "Le délai doit être compris entre 20 minutes et 48 heures (2880 minutes)" in answer.text
