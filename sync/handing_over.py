"""Handing a store's mail to a shopper over to the Sender: what reminders and offers have in common."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from connector.errors import ConnectorError
from connector.messages.envelope import Envelope, Handover, Sender, SendResult
from connector.messages.reminder import mailbox, reminder_envelope
from connector.messages.templates import Rendered
from sync.services import Services

RETRY_MINUTES = (1, 5, 15, 60, 180, 360)
"""Pauses after refusals for now; after the last one the mail is given up, so that none is a day late."""

log = structlog.get_logger()


def address_to(services: Services, rendered: Rendered, *, public_id: str, shop_name: str, to: str, unsubscribe_url: str) -> Envelope:
    """A composed mail in the store's name, with our address and one-click unsubscribe. Raises ConnectorError."""
    host = services.settings.mail_from.rpartition("@")[2].strip("> ") or "localhost"
    return reminder_envelope(
        rendered,
        message_id=f"{public_id}@{host}",
        sender=mailbox(shop_name, services.settings.mail_from),
        to=to,
        unsubscribe_url=unsubscribe_url,
    )


def hand_over(mail: Sender, public_id: str, compose: Callable[[], Envelope]) -> tuple[SendResult, bool]:
    """Compose and send; false if it could not be composed, which refuses it for good without asking anybody."""
    try:
        envelope = compose()
    except ConnectorError as error:
        log.warning("message.not_composed", message=public_id, error=str(error))
        return SendResult(Handover.REFUSED, str(error)), False
    return mail.send(envelope), True


def again_at(result: SendResult, attempt: int, now: datetime) -> datetime | None:
    """When a mail that was refused for now is tried again after so many attempts; None: it is not."""
    if result.handover is not Handover.RETRY or attempt > len(RETRY_MINUTES):
        return None
    return now + timedelta(minutes=RETRY_MINUTES[attempt - 1])
