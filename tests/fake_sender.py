"""A Sender that keeps what it is given and answers as told."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from connector.messages.envelope import Envelope, Handover, SendResult


@dataclass
class FakeSender:
    """
    Answers with `answers` in turn, then with SENT. `before` is called with each envelope first; what it raises goes up.

    Safe to use from many threads.
    """

    answers: list[SendResult] = field(default_factory=list)
    before: Callable[[Envelope], None] = lambda envelope: None
    handed: list[Envelope] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, envelope: Envelope) -> SendResult:
        """Keep the envelope and answer."""
        self.before(envelope)
        with self._lock:
            self.handed.append(envelope)
            return self.answers.pop(0) if self.answers else SendResult(Handover.SENT, "250 ok")

    @property
    def recipients(self) -> list[str]:
        """Who got something, in order."""
        return [envelope.to for envelope in self.handed]

    def close(self) -> None:
        """Nothing is held."""
