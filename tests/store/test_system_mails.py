"""Mails of our own in rows: sealed, claimed once, and empty once they are settled."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from connector.store import system_mails
from connector.store.db import Database, app_now
from connector.store.sealed import Vault
from connector.store.system_mails import ClaimedMail, SystemMail
from sync.jobs import Job
from tests.store.people import account, at_once, pass_time, rows

MAIL = SystemMail("anna@example.org", "Hello", "text", "<p>html</p>", "Connector <connector@localhost>")


def queue(db: Database, vault: Vault, kind: str = system_mails.PREVIEW) -> str:
    with db.system_transaction("test") as session:
        return system_mails.queue(session, vault, kind, MAIL, account(db))


def claim(db: Database) -> ClaimedMail | None:
    with db.system_transaction("test") as session:
        return system_mails.claim(session)


def states(db: Database) -> list[str]:
    return [row["state"] for row in rows(db, "select state from system_mails order by id")]


def test_the_job_that_is_rung_for_is_the_one_that_posts() -> None:
    assert Job.POST.value == system_mails.JOB


def test_what_was_queued_is_claimed_once_and_says_what_it_said(db: Database, vault: Vault) -> None:
    name = queue(db, vault)
    claimed = claim(db)
    assert claimed is not None
    assert (claimed.public_id, claimed.kind, claimed.attempt) == (name, "preview", 1)
    assert system_mails.open_mail(vault, claimed) == MAIL
    assert claim(db) is None


def test_of_many_who_claim_at_once_one_gets_it(db: Database, vault: Vault) -> None:
    queue(db, vault)
    ends = at_once(db, [system_mails.claim] * 6)
    assert len([end for end in ends if end is not None]) == 1


def test_sign_in_mails_go_first(db: Database, vault: Vault) -> None:
    for kind in (system_mails.PREVIEW, system_mails.INVITATION, system_mails.SIGN_IN):
        queue(db, vault, kind)
    taken = [claim(db) for _ in range(3)]
    assert [one.kind for one in taken if one is not None] == ["sign_in", "preview", "invitation"]


def test_a_sign_in_mail_whose_link_ran_out_is_not_sent_any_more(db: Database, vault: Vault) -> None:
    queue(db, vault, system_mails.SIGN_IN)
    queue(db, vault, system_mails.PREVIEW)
    pass_time(db, minutes=15)
    claimed = claim(db)
    assert claimed is not None
    assert claimed.kind == "preview"
    assert rows(db, "select state, detail, sealed from system_mails where kind = 'sign_in'") == [
        {"state": "refused", "detail": system_mails.TOO_LATE, "sealed": None}
    ]


@pytest.mark.parametrize("state", ["sent", "refused", "unknown"])
def test_once_settled_nothing_of_what_it_said_is_left(db: Database, vault: Vault, state: str) -> None:
    queue(db, vault)
    claimed = claim(db)
    assert claimed is not None
    with db.system_transaction("test") as session:
        assert system_mails.record(session, claimed, state, "250 ok")
        assert not system_mails.record(session, claimed, "sent")
    (row,) = rows(db, "select * from system_mails")
    assert (row["state"], row["detail"], row["sealed"], row["lease_until"]) == (state, "250 ok", None, None)
    assert (row["handed_over_at"] is not None) == (state == "sent")


def test_a_mail_put_back_waits_until_it_is_time(db: Database, vault: Vault) -> None:
    queue(db, vault)
    claimed = claim(db)
    assert claimed is not None
    with db.system_transaction("test") as session:
        system_mails.record(session, claimed, "queued", "451 later", again_at=app_now(session) + timedelta(minutes=1))
        assert not system_mails.has_due(session)
    assert claim(db) is None
    pass_time(db, minutes=1)
    again = claim(db)
    assert again is not None
    assert (again.attempt, system_mails.open_mail(vault, again)) == (2, MAIL)
    with db.system_transaction("test") as session:
        assert not system_mails.record(session, claimed, "sent")
    assert states(db) == ["sending"]


def test_a_mail_whose_worker_vanished_is_unknown_and_its_late_word_is_not_heard(db: Database, vault: Vault) -> None:
    queue(db, vault)
    claimed = claim(db)
    assert claimed is not None
    with db.system_transaction("test") as session:
        assert system_mails.expire_leases(session) == 0
    pass_time(db, minutes=6, seconds=1)
    with db.system_transaction("test") as session:
        assert system_mails.expire_leases(session) == 1
        assert not system_mails.record(session, claimed, "sent")
    assert states(db) == ["unknown"]
    assert claim(db) is None


def test_an_account_may_queue_for_itself_alone_and_take_nothing_back(db: Database, vault: Vault) -> None:
    mine, other = account(db), account(db, "Second")
    with db.transaction(account=mine) as session:
        system_mails.queue(session, vault, system_mails.PREVIEW, MAIL, mine)
    for stranger in (other, None):
        with pytest.raises(DBAPIError, match="row-level security"), db.transaction(account=mine) as session:
            system_mails.queue(session, vault, system_mails.PREVIEW, MAIL, stranger)
    with pytest.raises(DBAPIError, match="permission denied"), db.transaction(account=mine) as session:
        system_mails.claim(session)
    assert states(db) == ["queued"]
