"""
Signs that something does not work as it should, over all shops: what is late, what mail servers and platforms refuse.

Reads what waits through partial indexes and a bounded number of rows, so that it costs the same however much there is. Tells
numbers only, no shop and no person. Each needs a system transaction and gives up after two seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from connector.store.db import run
from connector.store.figures import READ

TIMEOUT_MS = 2_000
ATTEMPTS_MINUTES = 15
LOST_MINUTES = 60
UNREAD_MINUTES = 15
MOST = 300


@dataclass(frozen=True, slots=True)
class PlatformSigns:
    """
    One platform: how many of its shops are installed, how many lost our access in the last hour, and, of the shops whose checkouts that
    fall due next name products (`asking`), how many still wait for a product after a quarter of an hour (`unread`).

    `silent`: connected shops of which a topic keeps silent though something changed.
    """

    shops: int = 0
    lost: int = 0
    asking: int = 0
    unread: int = 0
    silent: int = 0


@dataclass(frozen=True, slots=True)
class Lateness:
    """By how many seconds the oldest work of each kind is overdue; 0: none is."""

    deliveries: float
    checkouts: float
    messages: float


@dataclass(frozen=True, slots=True)
class MailSigns:
    """By how many seconds the oldest mail of our own is overdue, and how the mails of the last 15 minutes went."""

    late: float
    accepted: int
    refused_for_now: int


@dataclass(frozen=True, slots=True)
class Pauses:
    """The seconds that follow the first, second, … refusal of a reminder, and of a mail of our own: they tell when that refusal was."""

    reminders: Sequence[int]
    own: Sequence[int]


def read_lateness(session: Session) -> Lateness:
    """What waits for longer than it should."""
    _hurry(session)
    [waiting] = run(session, READ)
    messages = session.execute(_MESSAGES, {"most": MOST}).scalar_one()
    return Lateness(float(waiting[1]), float(waiting[4]), float(messages))


def read_mail(session: Session, pauses: Pauses) -> MailSigns:
    """How mail leaves."""
    _hurry(session)
    values = {"reminders": list(pauses.reminders), "own": list(pauses.own), "minutes": ATTEMPTS_MINUTES, "most": MOST}
    row = session.execute(_MAIL, values).one()
    return MailSigns(float(row.late), row.accepted, row.refused)


def read_platforms(session: Session) -> dict[str, PlatformSigns]:
    """Each platform that has shops."""
    _hurry(session)
    rows = session.execute(_PLATFORMS, {"lost": LOST_MINUTES, "unread": UNREAD_MINUTES, "most": MOST})
    return {row.platform: PlatformSigns(row.shops, row.lost, row.asking, row.unread, row.silent) for row in rows}


def _hurry(session: Session) -> None:
    session.execute(text(f"set local statement_timeout = {TIMEOUT_MS}"))


# What is known late is due in the past as soon as it is queued: that alone is no delay of ours.
_MESSAGES = text("""
select coalesce(extract(epoch from app_now() - min(greatest(due_at, queued_at))), 0) from (
    select due_at, queued_at from messages where state = 'queued' and due_at <= app_now() order by due_at, id limit :most
) m
""")
_MAIL = text("""
with now as materialized (select app_now() as at, app_now() - make_interval(mins => :minutes) as since),
refused (due_at, attempts, pauses) as (
    select due_at, attempts, cast(:reminders as integer[]) from messages where state = 'queued' and reason = 'retrying'
    union all
    select due_at, attempts, cast(:own as integer[]) from system_mails where state = 'queued' and attempts > 0
)
select
    coalesce(extract(epoch from now.at - (select min(due_at) from system_mails where state = 'queued' and due_at <= now.at)), 0) as late,
    (select count(*) from messages where handed_over_at > now.since)
    + (select count(*) from (select handed_over_at from system_mails order by id desc limit :most) m
       where m.handed_over_at > now.since) as accepted,
    (select count(*) from refused r
     where r.due_at - make_interval(secs => r.pauses[least(greatest(r.attempts, 1), cardinality(r.pauses))]) > now.since) as refused
from now
""")

# A shop that lost our access has an open notice. Products are read as soon as a checkout names them: while they are not, the
# platform does not answer.
_PLATFORMS = text("""
with now as materialized (select app_now() as at),
next as (
    select c.id, c.shop_id from checkouts c, now
    where c.due_at > now.at and c.last_activity_at < now.at - make_interval(mins => :unread)
    order by c.due_at limit :most
),
named as (
    select distinct n.shop_id, exists (
        select 1 from products p where p.shop_id = n.shop_id and p.platform_id = l.product_id) as is_read
    from next n join checkout_lines l on l.checkout_id = n.id and l.product_id is not null
),
asking as (select shop_id, bool_or(not is_read) as is_unread from named group by shop_id),
lost as (
    select distinct n.shop_id from notices n, now
    where n.cause = 'needs_sign_in' and n.settled_at is null and n.at > now.at - make_interval(mins => :lost)
),
silent as (select distinct shop_id from topic_health where silent_since is not null)
select s.platform, count(*) as shops, count(lost.shop_id) as lost, count(asking.shop_id) as asking,
    count(*) filter (where asking.is_unread) as unread,
    count(silent.shop_id) filter (where s.state = 'connected') as silent
from shops s left join asking on asking.shop_id = s.id and s.state = 'connected' left join lost on lost.shop_id = s.id
    left join silent on silent.shop_id = s.id
where s.state <> 'uninstalled' group by s.platform order by s.platform
""")
