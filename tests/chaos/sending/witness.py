"""
Who committed first: the database itself notes claims, orders and stops, and PostgreSQL says when each of them committed.

Triggers write a note inside the very transaction they speak of, and nobody changes a note afterwards: so a note exists if and
only if that transaction committed, and the commit time that PostgreSQL keeps for the note's transaction is the one of the
claim or the order. No clock of a program is asked.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg

NOTES = """
create table chaos_notes (
    what text not null, shop_id bigint not null, subject bigint, hash bytea,
    at timestamptz not null default clock_timestamp(), app_at timestamptz not null default app_now()
);
create function chaos_note() returns trigger language plpgsql security definer set search_path = pg_catalog, public as $$
begin
    if tg_table_name = 'messages' then
        insert into public.chaos_notes (what, shop_id, subject) values (new.state, new.shop_id, new.id);
    elsif tg_table_name = 'checkouts' then
        insert into public.chaos_notes (what, shop_id, subject) values ('ordered', new.shop_id, new.id);
    elsif tg_table_name = 'suppressions' then
        insert into public.chaos_notes (what, shop_id, hash) values ('suppressed', new.shop_id, new.address_hash);
    elsif tg_table_name = 'automations' then
        insert into public.chaos_notes (what, shop_id, subject) values ('off', new.shop_id, new.id);
    else
        insert into public.chaos_notes (what, shop_id) values ('left', new.id);
    end if;
    return null;
end $$;
create trigger chaos_messages after update of state on messages
    for each row when (old.state is distinct from new.state) execute function chaos_note();
create trigger chaos_orders after update of converted_at on checkouts
    for each row when (old.converted_at is null and new.converted_at is not null) execute function chaos_note();
create trigger chaos_suppressions after insert on suppressions for each row execute function chaos_note();
create trigger chaos_switches after update of is_on on automations
    for each row when (old.is_on and not new.is_on) execute function chaos_note();
create trigger chaos_shops after update of state on shops
    for each row when (old.state = 'connected' and new.state <> 'connected') execute function chaos_note();
"""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that committed at `committed_at` (the database's real clock); `app_at`: the virtual instant it was written at."""

    what: str
    shop_id: int
    subject: int | None
    hash: bytes | None
    app_at: datetime
    committed_at: datetime


def install(connection: psycopg.Connection) -> None:
    """
    Let the database note who commits what. The server must run with `track_commit_timestamp`.

    Raises AssertionError if it does not: without it there is no proof.
    """
    setting = connection.execute("show track_commit_timestamp").fetchone()
    assert setting == ("on",), "the server keeps no commit times: nothing could be proven"
    connection.execute(NOTES)


def read(connection: psycopg.Connection) -> "Notes":
    """All notes so far."""
    rows = connection.execute(
        "select what, shop_id, subject, hash, app_at, pg_xact_commit_timestamp(xmin) from chaos_notes order by 6, at"
    ).fetchall()
    assert all(row[5] is not None for row in rows), "a commit without its time"
    return Notes(Note(row[0], row[1], row[2], None if row[3] is None else bytes(row[3]), row[4], row[5]) for row in rows)


class Notes:
    """Notes by what they say, each group in the order of commits."""

    def __init__(self, notes: Iterable[Note]) -> None:
        self._by_what: dict[str, list[Note]] = defaultdict(list)
        for note in notes:
            self._by_what[note.what].append(note)

    def all(self, what: str) -> list[Note]:
        """Every note of a kind: a message's new state, `ordered`, `suppressed`, `off` or `left`."""
        return self._by_what[what]

    def first_by_subject(self, what: str) -> dict[int, Note]:
        """The first note of a kind for each subject."""
        found: dict[int, Note] = {}
        for note in self.all(what):
            if note.subject is not None:
                found.setdefault(note.subject, note)
        return found

    def last_by_subject(self, what: str) -> dict[int, Note]:
        """The last note of a kind for each subject."""
        return {note.subject: note for note in self.all(what) if note.subject is not None}

    def first_by_hash(self) -> dict[tuple[int, bytes], Note]:
        """The first suppression of each address, by shop and hash."""
        found: dict[tuple[int, bytes], Note] = {}
        for note in self.all("suppressed"):
            if note.hash is not None:
                found.setdefault((note.shop_id, note.hash), note)
        return found

    def first_by_shop(self, what: str) -> dict[int, Note]:
        """The first note of a kind for each shop."""
        found: dict[int, Note] = {}
        for note in self.all(what):
            found.setdefault(note.shop_id, note)
        return found
