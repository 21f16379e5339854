"""People who load a page again that did not load."""

import time
from collections.abc import Callable

from connector.errors import ConnectorError
from connector.platforms import TransientError

TRIES = 5
PAUSE_SECONDS = 1.0


def act_until_it_works(what: str, act: Callable[..., int], *values: object) -> None:
    """Act until it works, a few times at most: nobody gives up because a page did not load once. Raises ConnectorError."""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            status = act(*values)
        except TransientError:
            status = 0
        if status and status < 500:
            break
    if not 200 <= status < 300:
        raise ConnectorError(f"{what} was answered with {status}")
