"""People who load a page again that did not load."""

import time
from collections.abc import Callable

from connector.errors import ConnectorError
from connector.platforms import TransientError

TRIES = 5
PAUSE_SECONDS = 1.0


def act_until_it_works(what: str, act: Callable[..., int], *values: object, is_begun_anew: bool = False) -> None:
    """
    Act until it works, a few times at most: nobody gives up because a page did not load once. Raises ConnectorError.

    `is_begun_anew`: each try starts from the beginning, as a page says that refuses one that broke off; then no refusal is final.
    """
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        try:
            status = act(*values)
        except TransientError:
            status = 0
        if 200 <= status < 300 or (status and status < 500 and not is_begun_anew):
            break
    if not 200 <= status < 300:
        raise ConnectorError(f"{what} was answered with {status}")
