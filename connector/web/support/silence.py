"""Topics that a store keeps silent about, as support sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from connector.store.sync_tables import TopicHealthRow
from connector.web.formats import Moment, moment, moment_or_none


@dataclass(frozen=True, slots=True)
class SilentTopic:
    """
    One topic of which nothing came though something changed. `is_bridged`: it is subscribed for this store alone meanwhile.

    `url` leads to its deliveries.
    """

    topic: str
    url: str
    changed_at: Moment | None
    heard_at: Moment | None
    since: Moment
    is_bridged: bool


def silent_topics(rows: Sequence[TopicHealthRow], deliveries: str, place: tzinfo, language: str) -> tuple[SilentTopic, ...]:
    """Those of a store's topics that are silent; `deliveries` is the address of its deliveries."""
    return tuple(
        SilentTopic(
            topic=row.topic,
            url=f"{deliveries}?topic={row.topic}",
            changed_at=moment_or_none(row.changed_at, place, language),
            heard_at=moment_or_none(row.heard_at, place, language),
            since=moment(row.silent_since, place, language),
            is_bridged=row.fallback_at is not None,
        )
        for row in rows
        if row.silent_since is not None
    )
