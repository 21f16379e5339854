"""What is waiting and what is due next, over all shops: for the sandbox's clock and for people who wonder."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    Work that could be done now, and the next instant at which more falls due.

    `messages`, `sending`: mails of our own and of offers as well. A message whose store is being asked counts as being sent.
    `offers`: orders, offers and codes that must be looked at.
    """

    deliveries: int
    checkouts: int
    messages: int
    sending: int
    offers: int
    next_due_at: datetime | None

    @property
    def is_idle(self) -> bool:
        """True if nothing can be done before `next_due_at`."""
        return not (self.deliveries or self.checkouts or self.messages or self.sending or self.offers)


def waiting(session: Session) -> Waiting:
    """Count what waits. Needs a system transaction."""
    return Waiting(*session.execute(_WAITING).one())


_WAITING = text("""
    select (select count(*) from deliveries where state = 'pending' and shop_id is not null),
           (select count(*) from checkouts where due_at <= app_now()),
           (select count(*) from messages
            where state = 'queued' and due_at <= app_now() and coalesce(lease_until, due_at) <= app_now())
           + (select count(*) from system_mails where state = 'queued' and due_at <= app_now())
           + (select count(*) from grant_mails where state = 'queued' and due_at <= app_now()),
           (select count(*) from messages where state = 'sending' or (state = 'queued' and lease_until > app_now()))
           + (select count(*) from system_mails where state = 'sending')
           + (select count(*) from grant_mails where state = 'sending'),
           (select count(*) from offer_work where due_at <= app_now())
           + (select count(*) from orders_to_judge where due_at <= app_now())
           + (select count(*) from offer_codes where wanted <> actual and actual <> 'refused' and due_at <= app_now()),
           least((select min(due_at) from checkouts where due_at > app_now()),
                 (select min(due_at) from messages where state = 'queued' and due_at > app_now()),
                 (select min(due_at) from system_mails where state = 'queued' and due_at > app_now()),
                 (select min(due_at) from grant_mails where state = 'queued' and due_at > app_now()),
                 (select min(due_at) from offer_work where due_at > app_now()),
                 (select min(due_at) from orders_to_judge where due_at > app_now()),
                 (select min(due_at) from offer_codes where wanted <> actual and actual <> 'refused' and due_at > app_now()))
""")
