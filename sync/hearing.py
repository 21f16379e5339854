"""
Hearing the bell at once, and not asking when it is silent.

dramatiq's consumers ask Redis for messages again and again: often, and an idle worker costs a good part of a core; seldom, and a
wake lies about. Whoever rings here also says so on a channel, which each worker process listens to: its consumers fetch when
they hear their queue's name. What is not heard – Redis away, the channel's line cut, wakes of a dead worker that come back – is
found by asking, as dramatiq does, only more seldom while the channel is heard.
"""

import threading
from collections.abc import Iterable
from typing import Any

import redis
import structlog
from dramatiq.brokers.redis import _RedisConsumer  # the only public way to it is an instance's `consumer_class`

CHANNEL = "connector:rung"
HEARING_SECONDS = 1.0
"""How long a consumer waits for the channel before it asks anyway: dead workers' wakes come back by asking."""
ASKING_SECONDS = 0.05
"""How long while the channel cannot be heard, or while its process has work in hand and nothing came for a while."""
SHORTEST_SECONDS = 0.005
LOOK_UP_SECONDS = 1.0
"""How often the ear looks whether it should stop, and how long it rests after a failure."""

log = structlog.get_logger()


class Hearing:
    """One process's ear: a thread on the channel, and an event for each queue. start() and stop() it."""

    def __init__(self, client: "redis.Redis", queues: Iterable[str]) -> None:
        self._client = client
        self._rung = {queue: threading.Event() for queue in queues}
        self._is_heard = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="hearing", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and let nobody wait."""
        self._stopping.set()
        self._wake_all()
        self._thread.join(2 * LOOK_UP_SECONDS)

    def wait(self, queue: str, most_seconds: float) -> None:
        """Return when the queue was rung for, or when it is time to ask."""
        is_patient = self._is_heard and not self._stopping.is_set()
        self._rung[queue].wait(most_seconds if is_patient else min(most_seconds, ASKING_SECONDS))
        self._rung[queue].clear()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                    channel.subscribe(CHANNEL)
                    while not self._stopping.is_set():
                        self._hear(channel.get_message(timeout=LOOK_UP_SECONDS))
                        self._is_heard = True
            except redis.RedisError as error:
                if self._is_heard:
                    log.warning("bell.not_heard", error=type(error).__name__)
                self._is_heard = False
                self._wake_all()
                self._stopping.wait(LOOK_UP_SECONDS)

    def _hear(self, message: dict[str, Any] | None) -> None:
        queue = message["data"].decode() if message else None
        if queue in self._rung:
            self._rung[queue].set()

    def _wake_all(self) -> None:
        for event in self._rung.values():
            event.set()


class HearingConsumer(_RedisConsumer):
    """dramatiq's consumer, but for how it waits: for the channel instead of a while that it chose."""

    def __init__(self, hearing: Hearing, broker: Any, queue_name: str, prefetch: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout=0)  # type: ignore[no-untyped-call]
        self._hearing = hearing

    def __next__(self) -> Any:
        message = super().__next__()  # type: ignore[no-untyped-call]
        if message is None:
            self._hearing.wait(self.queue_name, self._patience())
        return message

    def _patience(self) -> float:
        # What is in hand is acknowledged, and more is fetched, only when this returns; so first it returns soon.
        if self.outstanding_message_count == 0:
            return HEARING_SECONDS
        return float(min(SHORTEST_SECONDS * 2 ** min(self.misses, 10), ASKING_SECONDS))
