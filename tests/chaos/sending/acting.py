"""What people do at planned instants of the database's clock, while messages are being sent."""

import http.client
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from tests.chaos.merchant import Merchant
from tests.chaos.posts import Post
from tests.chaos.stack import Stack

HANDS = 8
"""How many people may act in the same instant."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody does at an instant of the database's clock; it returns what went wrong, or nothing."""

    at: datetime
    do: Callable[[], str]


@dataclass
class Acting:
    """Acts under way. `join()` returns what went wrong with them: an act that failed is no fault."""

    thread: threading.Thread
    planned: int
    wrong: list[str]
    done: int = 0

    def join(self, seconds: float) -> list[str]:
        """Wait for all of them."""
        self.thread.join(seconds)
        missing = self.planned - self.done - len(self.wrong)
        return [*self.wrong, *([f"{missing} of {self.planned} people had not acted in time"] if missing else [])]


def act(stack: Stack, acts: Sequence[Act]) -> Acting:
    """Have everything done at its instant, the database's clock being as far from ours as it is now."""
    planned = sorted(acts, key=lambda one: one.at)
    now, began = stack.now(), time.monotonic()

    def one(number: int) -> None:
        try:
            said = planned[number].do()
        except Exception as error:
            said = f"an act failed: {type(error).__name__}: {error}"
        if said:
            acting.wrong.append(said)
        else:
            acting.done += 1

    def go() -> None:
        with ThreadPoolExecutor(HANDS) as hands:
            for number, planned_act in enumerate(planned):
                time.sleep(max(0.0, began + (planned_act.at - now).total_seconds() - time.monotonic()))
                hands.submit(one, number)

    acting = Acting(threading.Thread(target=go, name="people", daemon=True), len(planned), [])
    acting.thread.start()
    return acting


def unsubscribe(stack: Stack, token: str) -> str:
    """The button of our unsubscribe page, or a mail provider's one click."""
    return _post(stack, f"/u/{token}", {"List-Unsubscribe": "One-Click"}, 200)


def turn_off(stack: Stack, merchant: Merchant, shop_public_id: str) -> str:
    """The merchant's switch."""
    return _post(stack, f"/app/shops/{shop_public_id}/automation/off", merchant.form(), 303, merchant.headers)


def deliver(stack: Stack, post: Post) -> str:
    """One webhook."""
    return _request(stack, post.path, post.body, dict(post.headers), 200)


def _post(stack: Stack, path: str, fields: dict[str, str], expected: int, headers: Mapping[str, str] | None = None) -> str:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return _request(stack, path, urlencode(fields).encode(), {**kind, **(headers or {})}, expected)


def _request(stack: Stack, path: str, body: bytes, headers: dict[str, str], expected: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", stack.live_ports()[0], timeout=10)
    try:
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    return "" if status == expected else f"POST {path.split('/')[1]} was answered {status}"
