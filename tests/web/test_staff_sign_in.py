"""How our own people come in: a password and a code, and nothing of the console before both."""

import base64
import time
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from starlette.testclient import TestClient

from connector.rules.permissions import StaffRole
from connector.store import passwords, staff
from connector.store.db import app_now
from connector.web import cookies
from connector.web.composition import Composition
from tests.web.conftest import browser, run, scalar
from tests.web.signing import keep, send

EMAIL = "sam@support.example"
PASSWORD = "correct horse battery staple"


@pytest.fixture
def sam(parts: Composition) -> str:
    """One of the staff who never signed in; the public id."""
    with parts.db.system_transaction("one of the staff for a test") as session:
        row = staff.add(session, EMAIL, "Sam", StaffRole.SUPPORT, passwords.hash_password(PASSWORD))
        return row.public_id


def now(parts: Composition) -> datetime:
    with parts.db.system_transaction("what time it is") as session:
        return app_now(session)


def code(parts: Composition, *, steps: int = 0) -> str:
    """What the authenticator app shows, some steps of 30 seconds away from now."""
    with parts.db.system_transaction("a code for a test") as session:
        [row] = staff.list_staff(session)
        secret = base64.b32decode(str(staff.open_totp(parts.services.vault, row)))
    return TOTP(secret, 6, SHA1(), 30).generate(int(now(parts).timestamp()) + 30 * steps).decode()


def give_password(client: TestClient, parts: Composition, password: str = PASSWORD, email: str = EMAIL) -> int:
    return send(client, parts, "/support/sign-in", email=email, password=password).status_code


def come_in(client: TestClient, parts: Composition, **options: int) -> int:
    assert give_password(client, parts) == 303
    client.get("/support/second-factor")
    return send(client, parts, "/support/second-factor", code=code(parts, **options)).status_code


def is_in(client: TestClient) -> bool:
    return client.get("/support/second-factor/qr.svg").status_code == 404 and client.get("/support").status_code == 200


@pytest.mark.spec("SEC-235")
def test_the_password_alone_opens_nothing(client: TestClient, parts: Composition, sam: str) -> None:
    assert give_password(client, parts) == 303
    answer = client.get("/support")
    assert (answer.status_code, answer.headers["location"]) == (303, "/support/second-factor?next=%2Fsupport")
    page = client.get("/support/second-factor").text
    assert "authenticator app" in page
    assert client.get("/support/second-factor/qr.svg").text.startswith("<?xml")


def test_the_first_sign_in_sets_up_the_second_factor_and_the_next_ones_ask_for_it(client: TestClient, parts: Composition, sam: str) -> None:
    assert come_in(client, parts) == 303
    assert is_in(client)
    assert send(client, parts, "/support/sign-out").status_code == 303
    assert not is_in(client)
    assert give_password(client, parts) == 303
    page = client.get("/support/second-factor").text
    assert "Or type this key" not in page, "the secret is never shown again"
    assert client.get("/support/second-factor/qr.svg").status_code == 404
    assert send(client, parts, "/support/second-factor", code=code(parts, steps=1)).status_code == 303
    assert is_in(client)
    assert scalar(parts, "select count(*) from audit_entries where action = 'session.began' and actor = :who", who=f"staff {sam}") == 2


def test_a_code_is_good_once(client: TestClient, parts: Composition, sam: str) -> None:
    assert give_password(client, parts) == 303
    client.get("/support/second-factor")
    shown = code(parts)
    assert send(client, parts, "/support/second-factor", code=shown).status_code == 303
    with browser(parts) as other:
        assert give_password(other, parts) == 303
        assert send(other, parts, "/support/second-factor", code=shown).status_code == 403
        assert not is_in(other)


@pytest.mark.parametrize("wrong", ["", "000000", "12345", "abcdef", "1" * 50, "é"])
def test_a_wrong_code_opens_nothing(wrong: str, client: TestClient, parts: Composition, sam: str) -> None:
    assert give_password(client, parts) == 303
    client.get("/support/second-factor")
    if wrong == code(parts):
        wrong = "000001"
    assert send(client, parts, "/support/second-factor", code=wrong).status_code == 403
    assert not is_in(client)


def test_the_token_from_before_the_second_factor_is_good_for_nothing_after_it(client: TestClient, parts: Composition, sam: str) -> None:
    give_password(client, parts)
    before = str(client.cookies.get(cookies.STAFF))
    client.get("/support/second-factor")
    assert send(client, parts, "/support/second-factor", code=code(parts)).status_code == 303
    with browser(parts) as other:
        keep(other, cookies.STAFF, before)
        assert not is_in(other)


@pytest.mark.spec("SEC-234")
def test_twenty_wrong_tries_are_enough_for_known_and_unknown_names_alike(client: TestClient, parts: Composition, sam: str) -> None:
    answers = {}
    for email in (EMAIL, "nobody@support.example"):
        run(parts, "delete from attempts")
        answers[email] = [give_password(client, parts, "wrong", email) for _ in range(22)]
    assert answers[EMAIL] == answers["nobody@support.example"] == [403] * 20 + [429] * 2
    run(parts, "delete from attempts")
    for _ in range(20):
        give_password(client, parts, "wrong")
    assert give_password(client, parts) == 429, "not even the right password is looked at then"
    run(parts, "update app_clock set ahead = interval '16 minutes'")
    assert give_password(client, parts) == 303


@pytest.mark.spec("SEC-234")
def test_an_unknown_name_is_answered_with_the_same_words_and_takes_as_long(client: TestClient, parts: Composition, sam: str) -> None:
    known = send(client, parts, "/support/sign-in", email=EMAIL, password="wrong")
    unknown = send(client, parts, "/support/sign-in", email="nobody@support.example", password="wrong")
    assert known.text.replace(EMAIL, "") == unknown.text.replace("nobody@support.example", "")

    def spent(email: str) -> float:
        run(parts, "delete from attempts")
        best = []
        for _ in range(5):
            began = time.process_time_ns()
            send(client, parts, "/support/sign-in", email=email, password="wrong")
            best.append(time.process_time_ns() - began)
        return min(best) / 1e6

    # Argon2 is most of it; without it an unknown name would take a tenth.
    assert 0.5 < spent("nobody@support.example") / spent(EMAIL) < 2.0


@pytest.mark.spec("SEC-234")
def test_one_address_tries_twenty_names_at_most_and_right_ones_do_not_count(parts: Composition, sam: str) -> None:
    with browser(parts, address="9.9.9.9") as office:
        assert [give_password(office, parts) for _ in range(25)] == [303] * 25
        statuses = [give_password(office, parts, "wrong", f"n{number}@support.example") for number in range(22)]
        assert statuses == [403] * 20 + [429] * 2
        assert give_password(office, parts) == 429


def test_ten_wrong_codes_are_enough(client: TestClient, parts: Composition, sam: str) -> None:
    give_password(client, parts)
    client.get("/support/second-factor")
    statuses = [send(client, parts, "/support/second-factor", code="000000").status_code for _ in range(12)]
    assert statuses == [403] * 10 + [429] * 2
    assert send(client, parts, "/support/second-factor", code=code(parts)).status_code == 429


def test_whoever_is_disabled_is_out_at_once(client: TestClient, parts: Composition, sam: str) -> None:
    assert come_in(client, parts) == 303
    assert is_in(client)
    with parts.db.system_transaction("disable one of the staff") as session:
        staff.disable(session, EMAIL)
    assert not is_in(client)
    assert give_password(client, parts) == 403


def test_an_hour_of_silence_or_half_a_day_ends_a_session_of_staff(client: TestClient, parts: Composition, sam: str) -> None:
    assert come_in(client, parts) == 303
    run(parts, "update app_clock set ahead = interval '59 minutes'")
    assert is_in(client)
    run(parts, "update app_clock set ahead = interval '2 hours'")
    assert not is_in(client)
