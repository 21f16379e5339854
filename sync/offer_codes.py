"""
Make stores have the codes that we want them to have: claim | ask the store | write, one task after the other.

Nothing is held while a store is asked. Every call may be done twice: who dies between the call and its record leaves the task to the
next one. What a store refuses for good leaves its reason; ends by our clock, and codes that were taken back, are told to it until it
has done it.
"""

import time
from collections.abc import Callable, Sequence

import structlog

from connector.codes import CodeState
from connector.errors import NotFound
from connector.platforms import Access, AccessLost, Codes, PlatformError, ShopClosed, ThrottledError, TransientError
from connector.reading import Page
from connector.store import codes, offer_code_work, offer_work, shops
from connector.store.db import app_now, is_for_now, wake_after_commit
from connector.store.offer_code_work import QUIET, Act, Outcome, Result, Task
from connector.store.offer_codes import NEVER
from sync import code_calls
from sync.access import call_shop
from sync.code_calls import Done, Store
from sync.jobs import Job
from sync.services import Services

SLICE_SECONDS = 5.0
"""After so long a shop goes to the end of the line."""
REST_SECONDS = 5.0
"""So long a store that did not answer is left alone, whatever else waits for it."""
SOONEST_SECONDS, LATEST_SECONDS = 15.0, 300.0
LATEST_END_SECONDS = 5.0
"""A store that is there again must refuse what has ended within a minute (RL-142); one task in so many seconds is no load for it."""
NO_ACCESS_SECONDS = 60.0
TRIES, PAUSE_SECONDS = 3, 0.2
"""What a store did is written down at once or soon: forgotten, it would be asked again when the claim has run out, minutes later."""
_MUST_END = frozenset({Act.SUSPEND, Act.WITHDRAW})

log = structlog.get_logger()


def make_codes(services: Services, shop_id: int) -> int:
    """Have the store do what is wanted of its codes; returns how many tasks were worked on. What is left waits at the end of the line."""
    began, count = time.monotonic(), 0
    while time.monotonic() - began < SLICE_SECONDS:
        if (task := _take(services, shop_id)) is None:
            return count
        _work(services, shop_id, task)
        count += 1
    with services.db.transaction(shop=shop_id) as session:
        wake_after_commit(session, Job.OFFER_CODES.value, shop_id)
    return count


def look_up(services: Services, shop_id: int, code: str) -> CodeState | None:
    """A code as the store has it at this moment, None if it is free; nothing is kept. Raises PlatformError, NotFound."""
    return call_shop(services, shop_id, lambda access: _codes(services, shop_id).read_code(access, code))


def choose(services: Services, shop_id: int, code: str) -> CodeState | None:
    """As `look_up`, and what was found is kept and watched from now on. Raises as that."""
    with services.db.transaction(shop=shop_id) as session:
        read_at = app_now(session)
    state = look_up(services, shop_id, code)
    with services.db.transaction(shop=shop_id) as session:
        offer_work.note_codes(session, shop_id)
        if state is None:
            codes.mark_codes_deleted(session, shop_id, [code.strip()], read_at)
        else:
            codes.save_codes(session, shop_id, [state], read_at)
    return state


def search(services: Services, shop_id: int, words: str, cursor: str | None = None) -> Page:
    """Codes of the store that fit some words, by pages; nothing is kept. Raises PlatformError, NotFound."""
    return call_shop(services, shop_id, lambda access: _codes(services, shop_id).find_codes(access, words, cursor))


def _take(services: Services, shop_id: int) -> Task | None:
    with services.db.transaction(shop=shop_id) as session:
        shop = shops.get_shop(session, shop_id)
        if shop.state != "connected" or services.platforms[shop.platform].codes is None:
            return None
        return offer_code_work.claim(session, shop_id)


def _work(services: Services, shop_id: int, task: Task) -> None:
    """Ask the store, and write what came of it. Errors of a store are outcomes, too."""
    if task.act is Act.REHOME:
        with services.db.transaction(shop=shop_id) as session:
            offer_work.hold(session, shop_id)
            offer_code_work.rehome(session, shops.get_shop(session, shop_id), task)
        return
    try:
        done = _ask(services, shop_id, task)
    except ThrottledError as error:
        log.info("offer_codes.throttled", shop_id=shop_id, call=error.call, seconds=error.retry_after)
        rest = min(error.retry_after, LATEST_SECONDS)
        _postpone(services, shop_id, task, rest, rest=rest)
    except (AccessLost, NotFound) as error:
        log.info("offer_codes.no_access", shop_id=shop_id, error=type(error).__name__)
        _postpone(services, shop_id, task, NO_ACCESS_SECONDS, rest=NO_ACCESS_SECONDS)
    except PlatformError as error:
        log.warning("offer_codes.later", shop_id=shop_id, act=task.act.value, call=error.call, status=error.status)
        _postpone_after(services, shop_id, task, error)
    else:
        for part, its_done in done:
            _write_down(services, shop_id, part, its_done)


def _ask(services: Services, shop_id: int, task: Task) -> Sequence[tuple[Task, Done]]:
    """What came of a task; of several codes that ended, what came of each, as far as the store went along."""
    if task.act is Act.REFUSE:
        assert task.model is not None
        refused = Outcome("refused", refusal=task.model.refusal or "refused")
        return [(task, Done(Result({row.id: refused for row in task.rows if row.id is not None})))]
    if task.act is Act.FORGET:
        refusal = NEVER if task.first.wanted == "deleted" else None
        return [(task, Done(Result({row.id: Outcome(row.wanted, refusal=refusal) for row in task.rows if row.id is not None})))]
    with services.db.transaction(shop=shop_id) as session:
        platform = services.platforms[shops.get_shop(session, shop_id).platform]
    call: Callable[[Store, Task], Done] = code_calls.CALLS[task.act]
    its_codes = _codes(services, shop_id)

    def ask(access: Access) -> Sequence[tuple[Task, Done]]:
        store = Store(its_codes, access, tells_ends=platform.can.tells_code_use)
        return code_calls.suspend_ended(store, task) if len(task.rows) > 1 and task.act is Act.SUSPEND else [(task, call(store, task))]

    return call_shop(services, shop_id, ask)


def _write_down(services: Services, shop_id: int, task: Task, done: Done) -> None:
    """Settle a task, and try again if the database cannot do it now, as where others hold what it needs for too long."""
    for left in reversed(range(TRIES)):
        try:
            _settle(services, shop_id, task, done)
            return
        except Exception as error:
            if not left or not is_for_now(error):
                raise
            log.warning("offer_codes.not_written", shop_id=shop_id, act=task.act.value, error=type(error).__name__)
        time.sleep(PAUSE_SECONDS)


def _settle(services: Services, shop_id: int, task: Task, done: Done) -> None:
    """What was read on the way counts as read when the task began."""
    is_quiet = task.act in QUIET
    with services.db.transaction(shop=shop_id) as session:
        if not is_quiet:
            offer_work.hold(session, shop_id)
            if done.states or done.lost:
                offer_work.note_codes(session, shop_id)
        shop = shops.get_shop(session, shop_id)
        codes.save_codes(session, shop_id, done.states, task.now)
        codes.mark_codes_deleted(session, shop_id, done.lost, task.now)
        if done.is_model_gone:
            offer_code_work.lose_model(session, task)
        offer_code_work.settle(session, shop, task, done.result)
        if is_quiet and any(outcome.wanted == "issued" for outcome in done.result.outcomes.values()):
            # The merchant moved its end: only rung for, as whoever holds the codes does not wait for the offers.
            wake_after_commit(session, Job.OFFERS.value, shop_id)
    for action, _ in done.result.log:
        log.info(action, shop_id=shop_id, act=task.act.value, codes=len(task.rows))


def _postpone(
    services: Services, shop_id: int, task: Task, seconds: float, *, rest: float = 0.0, trouble: str | None = None, is_closed: bool = False
) -> None:
    with services.db.transaction(shop=shop_id) as session:
        if is_closed:
            shops.note_frozen(session, shop_id)
        offer_code_work.postpone(session, shops.get_shop(session, shop_id), task, seconds, trouble=trouble)
        if rest:
            offer_code_work.hold_back(session, shop_id, rest)


def _postpone_after(services: Services, shop_id: int, task: Task, error: PlatformError) -> None:
    is_closed = isinstance(error, ShopClosed)
    is_passing = is_closed or isinstance(error, TransientError)
    longest = LATEST_END_SECONDS if task.act in _MUST_END and is_passing else LATEST_SECONDS
    seconds = min(SOONEST_SECONDS * 2 ** min(task.first.attempts - 1, 10), longest)
    trouble = f"{task.act.value}: {type(error).__name__} {error.call} {error.status or ''}".strip()
    _postpone(services, shop_id, task, seconds, rest=REST_SECONDS if is_passing else 0.0, trouble=trouble, is_closed=is_closed)


def _codes(services: Services, shop_id: int) -> Codes:
    """Raises NotFound where this platform's codes are not to be had."""
    with services.db.transaction(shop=shop_id) as session:
        its_codes = services.platforms[shops.get_shop(session, shop_id).platform].codes
    if its_codes is None:
        raise NotFound("codes of this platform cannot be asked for")
    return its_codes
