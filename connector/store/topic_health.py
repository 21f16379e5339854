"""
Which topics are heard from a shop, and which are silent although something changed that they must have told of.

A silent topic is subscribed for this shop alone (the fallback) until it is heard otherwise: by a delivery without the fallback's mark
that was triggered after the silence was found. Transactions are the caller's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlmodel import Session, col

from connector.store.sync_tables import TopicHealthRow


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look found of a topic: the newest change that it must have told of, and its newest delivery at all."""

    topic: str
    changed_at: datetime
    heard_at: datetime | None
    is_silent: bool


def due_shops(session: Session, platforms: Collection[str], before: datetime, limit: int) -> list[int]:
    """
    Connected shops of these platforms whose changes were last compared up to an instant before this one (at first: since their
    install), the longest waiting first. Needs a system transaction.
    """
    statement = text("""
        select id from shops where state = 'connected' and platform = any(:platforms) and coalesce(listened_at, installed_at) <= :before
        order by coalesce(listened_at, installed_at), id limit :limit
    """)
    return list(session.execute(statement, {"platforms": list(platforms), "before": before, "limit": limit}).scalars())


def note_listened(session: Session, shop_id: int, until: datetime) -> None:
    """A shop's changes were compared with its deliveries up to this instant."""
    statement = text("update shops set listened_at = greatest(listened_at, :until) where id = :shop and state = 'connected'")
    session.execute(statement, {"shop": shop_id, "until": until})


def last_heard(session: Session, shop_id: int, since: datetime) -> dict[str, datetime]:
    """The newest delivery of each topic among those received since then, by when the platform triggered it, if it says so."""
    statement = text("""
        select topic, max(coalesce(triggered_at, received_at)) from deliveries
        where shop_id = :shop and received_at >= :since group by topic
    """)
    return {row[0]: row[1] for row in session.execute(statement, {"shop": shop_id, "since": since})}


def has_waiting(session: Session, shop_id: int, before: datetime) -> bool:
    """Whether a delivery that came before this instant was not applied yet: nobody can say that what it tells was not told."""
    statement = text("select received_at from deliveries where shop_id = :shop and state = 'pending' order by id limit 1")
    oldest: datetime | None = session.execute(statement, {"shop": shop_id}).scalar()
    return oldest is not None and oldest < before


def note_findings(session: Session, shop_id: int, findings: Sequence[Finding]) -> list[str]:
    """Write down what a look found; returns the topics that were not silent before."""
    newly = []
    for one in sorted(findings, key=lambda finding: finding.topic):
        values = {"shop": shop_id, "topic": one.topic, "changed": one.changed_at, "heard": one.heard_at, "silent": one.is_silent}
        if session.execute(_NOTE, values).scalar_one():
            newly.append(one.topic)
    return newly


def note_spoken(session: Session, shop_id: int, since: datetime, mark: str) -> list[str]:
    """
    Forget the silence of topics that were heard without the fallback's `mark` among the deliveries received since then.

    Returns them. `mark` is a whole line of the kept headers; what was triggered before the silence was found says nothing.
    """
    rows = session.execute(_SPOKEN, {"shop": shop_id, "since": since, "mark": f"\n{mark}\n".lower()}).scalars()
    return sorted(rows)


def note_fallbacks(session: Session, shop_id: int, subscribed: Collection[str]) -> None:
    """These topics, and no others, are subscribed for this shop alone now."""
    statement = text("""
        update topic_health set fallback_at = case when topic = any(:topics) then coalesce(fallback_at, app_now()) end
        where shop_id = :shop and (topic = any(:topics)) <> (fallback_at is not null)
    """)
    session.execute(statement, {"shop": shop_id, "topics": list(subscribed)})


def silent_topics(session: Session, shop_id: int) -> list[str]:
    """The topics of a shop that are not heard."""
    return [row.topic for row in list_health(session, shop_id) if row.silent_since is not None]


def has_stale_fallbacks(session: Session, shop_id: int) -> bool:
    """Whether a topic is subscribed for this shop alone that is heard otherwise, or a silent one is not."""
    return any((row.silent_since is None) != (row.fallback_at is None) for row in list_health(session, shop_id))


def list_health(session: Session, shop_id: int) -> Sequence[TopicHealthRow]:
    """What is known of a shop's topics, those that are silent first."""
    statement = select(TopicHealthRow).where(col(TopicHealthRow.shop_id) == shop_id)
    return session.scalars(statement.order_by(col(TopicHealthRow.silent_since).is_(None), col(TopicHealthRow.topic))).all()


def silent_by_platform(session: Session) -> Mapping[str, Mapping[str, int]]:
    """How many connected shops each topic is silent for, by platform. Needs a system transaction."""
    found: dict[str, dict[str, int]] = {}
    for platform, topic, count in session.execute(_BY_PLATFORM):
        found.setdefault(platform, {})[topic] = count
    return found


_NOTE = text("""
    with before as (select silent_since from topic_health where shop_id = :shop and topic = :topic)
    insert into topic_health as h (shop_id, topic, changed_at, heard_at, silent_since, checked_at)
    values (:shop, :topic, :changed, :heard, case when :silent then app_now() end, app_now())
    on conflict (shop_id, topic) do update set
        changed_at = greatest(h.changed_at, excluded.changed_at),
        heard_at = greatest(h.heard_at, excluded.heard_at),
        silent_since = coalesce(h.silent_since, excluded.silent_since),
        checked_at = excluded.checked_at
    returning silent_since is not null and (select silent_since from before) is null
""")
_SPOKEN = text("""
    update topic_health h set silent_since = null, checked_at = app_now()
    where h.shop_id = :shop and h.silent_since is not null and exists (
        select 1 from deliveries d join delivery_bodies b on b.received_on = d.received_on and b.delivery_id = d.id
        where d.shop_id = h.shop_id and d.topic = h.topic and d.received_at >= greatest(h.silent_since, :since)
          and coalesce(d.triggered_at, d.received_at) >= h.silent_since
          and strpos(E'\\n' || lower(b.headers), :mark) = 0
    ) returning h.topic
""")
_BY_PLATFORM = text("""
    select s.platform, h.topic, count(*) from topic_health h join shops s on s.id = h.shop_id
    where h.silent_since is not null and s.state = 'connected' group by s.platform, h.topic order by s.platform, h.topic
""")
