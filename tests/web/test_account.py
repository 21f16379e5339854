"""What owners settle: members, keys, and the list of what was done."""

import re

import pytest
from starlette.testclient import TestClient

from connector.rules.permissions import Role, Scope
from connector.store import api_keys
from connector.web.composition import Composition
from tests.conftest import TestShop
from tests.web.conftest import browser, run, scalar
from tests.web.signing import send, sign_in
from tests.web.test_sign_in import mails


@pytest.fixture
def owner(client: TestClient, parts: Composition, shopify_shop: TestShop) -> str:
    """The browser is signed in as an owner; their public id."""
    return sign_in(client, parts, shopify_shop)


def account_id(parts: Composition, shop: TestShop) -> int:
    return int(scalar(parts, "select account_id from shops where id = :id", id=shop.id))


def actions(parts: Composition, account: int) -> list[str]:
    with parts.db.engine.begin() as connection:
        statement = "select action from audit_entries where account_id = %s order by id"
        return list(connection.exec_driver_sql(statement, (account,)).scalars())


def test_a_member_is_added_and_told(client: TestClient, parts: Composition, owner: str, shopify_shop: TestShop) -> None:
    answer = send(client, parts, "/app/members", email="Nora@Example.com", role="marketer")
    assert answer.headers["location"] == "/app/members?done=member-added"
    page = client.get(answer.headers["location"]).text
    assert "Nora@Example.com" in page
    assert "The member was added" in page
    [mail] = mails(parts)
    assert (mail["to"], "Démo" in mail["text"]) == ("Nora@Example.com", True)
    assert "/sign-in" in mail["text"]
    assert "member.added" in actions(parts, account_id(parts, shopify_shop))


@pytest.mark.parametrize(
    ("email", "words"), [("nora", "not an e-mail address"), ("owner-3@members.example", "a member already"), ("", "not an e-mail address")]
)
def test_an_address_that_cannot_be_added_is_told_and_kept_as_typed(
    email: str, words: str, client: TestClient, parts: Composition, owner: str
) -> None:
    if "owner" in email:
        email = str(scalar(parts, "select email from members where public_id = :id", id=owner))
    answer = send(client, parts, "/app/members", email=email, role="read_only")
    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{email}"' in answer.text
    assert mails(parts) == []


def test_a_role_that_there_is_not_changes_nothing(client: TestClient, parts: Composition, owner: str) -> None:
    assert send(client, parts, "/app/members", email="nora@example.com", role="king").status_code == 422
    assert send(client, parts, f"/app/members/{owner}/role", role="king").status_code == 422
    assert scalar(parts, "select role from members where public_id = :id", id=owner) == "owner"


def test_the_last_owner_stays_one(client: TestClient, parts: Composition, owner: str, shopify_shop: TestShop) -> None:
    run(parts, "delete from members where account_id = :id and public_id <> :me", id=account_id(parts, shopify_shop), me=owner)
    for path, fields in ((f"/app/members/{owner}/role", {"role": "read_only"}), (f"/app/members/{owner}/removal", {})):
        answer = send(client, parts, path, **fields)
        assert answer.status_code == 422
        assert "only owner" in answer.text
    assert client.get("/app/members").status_code == 200


def test_another_role_counts_at_once(client: TestClient, parts: Composition, owner: str, shopify_shop: TestShop) -> None:
    with browser(parts) as colleague:
        public_id = sign_in(colleague, parts, shopify_shop, Role.READ_ONLY)
        assert colleague.get("/app/keys").status_code == 403
        assert send(client, parts, f"/app/members/{public_id}/role", role="owner").status_code == 303
        assert colleague.get("/app/keys").status_code == 200


def test_a_key_is_shown_once_and_works_until_it_is_revoked(client: TestClient, parts: Composition, owner: str) -> None:
    answer = send(client, parts, "/app/keys", name="Reports", **{Scope.SHOPS_READ.value: "on"})
    key = str(re.search(r"ck_[A-Za-z0-9_-]{43}", answer.text)[0])  # type: ignore[index]
    again = client.get("/app/keys").text
    assert key not in again
    assert key[-4:] in again
    assert "Reports" in again
    with parts.db.system_transaction("use a key") as session:
        found = api_keys.find(session, parts.services.vault, key)
        assert found is not None
        assert found.scopes == ["shops:read"]
        public_id = found.public_id
    assert send(client, parts, f"/app/keys/{public_id}/revocation").status_code == 303
    with parts.db.system_transaction("use a key again") as session:
        assert api_keys.find(session, parts.services.vault, key) is None
    assert "revoked" in client.get("/app/keys").text


@pytest.mark.parametrize("fields", [{"name": "Reports"}, {"name": " ", "shops:read": "on"}, {"shops:write": "on", "name": "x"}])
def test_a_key_needs_a_name_and_something_to_read(fields: dict[str, str], client: TestClient, parts: Composition, owner: str) -> None:
    assert send(client, parts, "/app/keys", **fields).status_code == 422
    assert scalar(parts, "select count(*) from api_keys") == 0


def test_owners_read_what_was_done_in_their_account_and_no_other(
    client: TestClient, parts: Composition, owner: str, woo_shop: TestShop
) -> None:
    with browser(parts) as other:
        sign_in(other, parts, woo_shop)
        send(other, parts, "/app/members", email="secret@example.com", role="marketer")
    send(client, parts, "/app/keys", name="Reports", **{Scope.SHOPS_READ.value: "on"})
    page = client.get("/app/audit").text
    assert "key.issued" in page
    assert "member.added" not in page
    assert re.search(r"req_[0-9a-f-]{36}", page)
    email = str(scalar(parts, "select email from members where public_id = :id", id=owner))
    assert email in page


def test_a_long_list_is_paged_without_gap_or_repeat(client: TestClient, parts: Composition, owner: str, shopify_shop: TestShop) -> None:
    run(
        parts,
        """insert into audit_entries (account_id, actor, action, object, at)
           select :id, 'test', 'thing.done', 'thing ' || n || '.', now() from generate_series(1, 120) n""",
        id=account_id(parts, shopify_shop),
    )
    seen: list[str] = []
    path = "/app/audit"
    for _ in range(5):
        page = client.get(path).text
        seen += re.findall(r"thing (\d+)\.", page)
        older = re.search(r'href="(/app/audit\?before=\d+)"', page)
        if older is None:
            break
        path = older[1]
    assert seen == [str(number) for number in range(120, 0, -1)]
    assert client.get("/app/audit?before=x").status_code == 200
