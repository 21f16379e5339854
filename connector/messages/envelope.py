"""What goes to a Sender and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Envelope:
    """
    One composed e-mail, ready to hand over.

    `message_id` is the stable Message-ID without angle brackets; `sender` is an RFC 5322 mailbox; `headers` are extra
    headers such as List-Unsubscribe.
    """

    message_id: str
    sender: str
    to: str
    subject: str
    html: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Handover(StrEnum):
    """
    How a hand-over ended.

    SENT: accepted. RETRY: refused for now, nothing was accepted, trying again later is safe. REFUSED: refused for good.
    UNKNOWN: the connection ended after the message was complete and before an answer; it must never be resent by itself.
    """

    SENT = "sent"
    RETRY = "retry"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SendResult:
    """The end of one hand-over, with the receiver's code and words (shortened, without addresses)."""

    handover: Handover
    detail: str = ""
    is_bad_address: bool = False


class Sender(Protocol):
    """Carries messages to people. Never raises for what the other side does; one call is one attempt."""

    def send(self, envelope: Envelope) -> SendResult:
        """Hand over one message."""
        ...

    def close(self) -> None:
        """Let go of connections; called once nobody sends any more."""
        ...
