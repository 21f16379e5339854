"""What is waiting and what is due next, over all shops: for the sandbox's clock and for people who wonder."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Waiting:
    """
    Work that could be done now, and the next instant at which more falls due.

    `messages`, `sending`: mails of our own as well. A message whose store is being asked counts as being sent.
    """

    deliveries: int
    checkouts: int
    messages: int
    sending: int
    next_due_at: datetime | None

    @property
    def is_idle(self) -> bool:
        """True if nothing can be done before `next_due_at`."""
        return not (self.deliveries or self.checkouts or self.messages or self.sending)


def waiting(session: Session) -> Waiting:
    """Count what waits. Needs a system transaction."""
    row = session.execute(
        text("""
            select (select count(*) from deliveries where state = 'pending' and shop_id is not null),
                   (select count(*) from checkouts where due_at <= app_now()),
                   (select count(*) from messages
                    where state = 'queued' and due_at <= app_now() and coalesce(lease_until, due_at) <= app_now())
                   + (select count(*) from system_mails where state = 'queued' and due_at <= app_now()),
                   (select count(*) from messages where state = 'sending' or (state = 'queued' and lease_until > app_now()))
                   + (select count(*) from system_mails where state = 'sending'),
                   least((select min(due_at) from checkouts where due_at > app_now()),
                         (select min(due_at) from messages where state = 'queued' and due_at > app_now()),
                         (select min(due_at) from system_mails where state = 'queued' and due_at > app_now()))
        """)
    ).one()
    return Waiting(*row)
