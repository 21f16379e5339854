"""
What is asked of a store for each kind of task, and what its answer makes of our codes.

Raises PlatformError for what must be tried again; what a store refuses for good is an answer. A code that is not ours any more, as the
merchant made another one of that name, is never touched.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from connector.codes import CodeState, CodeStatus, IssuedCodes
from connector.platforms import (
    Access,
    Codes,
    CodeTaken,
    Gone,
    NotPermitted,
    PlatformError,
    Rejected,
    ShopClosed,
    TransientError,
)
from connector.rules.code_pool import spell
from connector.store.offer_code_work import Act, Outcome, Result, Task
from connector.store.offer_codes import BITS, CHANGED, NEVER, USED
from connector.store.offer_tables import OfferCodeRow

NEW_NAMES = 3
"""So often a unique code whose name the store does not take gets another one."""
LOOKS = 3
"""So often a code that must be there is looked for before it is made again: some stores find late what they have just taken."""


@dataclass(frozen=True, slots=True)
class Store:
    """One store's codes. `tells_ends`: whether it says itself that a code has ended; elsewhere that is our own reckoning."""

    codes: Codes
    access: Access
    tells_ends: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task; codes that were read on the way, and those that were looked for in vain; whether its discount is gone."""

    result: Result
    states: Sequence[CodeState] = ()
    lost: Sequence[str] = ()
    is_model_gone: bool = False


def issue(store: Store, task: Task) -> Done:
    """One code that is a discount of its own."""
    row, wanted = task.first, task.code
    assert wanted is not None
    try:
        state = store.codes.issue_code(store.access, wanted)
    except ShopClosed:
        raise
    except (Rejected, NotPermitted) as error:
        if isinstance(error, CodeTaken) and row.role != "shared" and row.attempts <= NEW_NAMES:
            return _one(row, _renamed(row, "taken"), ("code.refused", "taken: another name"))
        reason = _words(row, error)
        return _one(row, Outcome("refused", refusal=reason), ("code.refused", reason))
    return Done(_result(row, Outcome("issued", platform_id=state.platform_id), ("code.issued", "")), [state])


def issue_many(store: Store, task: Task) -> Done:
    """More codes of a series."""
    try:
        answer = store.codes.issue_codes(store.access, _series(task), task.names)
    except ShopClosed:
        raise
    except Gone:
        return Done(Result({}, [("code.refused", "the discount of the series is gone")]), is_model_gone=True)
    except (Rejected, NotPermitted) as error:
        reason = _words(task.first, error)
        return Done(_all(task, Outcome("refused", refusal=reason), ("code.refused", reason)))
    return Done(_sort(task, answer, "code.issued", lambda row, why: _renamed(row, why)))


def resume(store: Store, task: Task) -> Done:
    """Let a suspended code hold again."""
    row = task.first
    assert row.platform_id is not None
    try:
        store.codes.resume_code(store.access, row.platform_id)
    except (Gone, CodeTaken) as error:
        reason = _words(row, error)
        return Done(_result(row, Outcome("refused", refusal=reason), ("code.refused", reason)), lost=[row.code])
    state = store.codes.read_code(store.access, row.code)
    return Done(_result(row, Outcome("issued"), ("code.restored", "")), [state] if state else [])


def restore(store: Store, task: Task) -> Done:
    """Give a series codes back that were taken from it."""
    try:
        answer = store.codes.restore_codes(store.access, _series(task), task.names)
    except Gone:
        outcome = Outcome("refused", refusal="the discount of the series is gone")
        return Done(_all(task, outcome, ("code.refused", outcome.refusal or "")), lost=task.names, is_model_gone=True)
    found = {code: store.codes.read_code(store.access, code) for code in answer.issued}
    result = _sort(task, answer, "code.restored", lambda row, why: Outcome("refused", refusal=why))
    return Done(result, [state for state in found.values() if state], list(answer.refused))


def suspend(store: Store, task: Task) -> Done:
    """From now on the store refuses a code: because its order was taken back, or because its end has come, if it honours it still."""
    row, over = task.first, Outcome("suspended")
    state = _own(store, task)
    if state is None:
        return Done(_result(row, over), lost=[row.code])
    if task.has_ended and _is_moved(task, state):
        return Done(_result(row, Outcome("issued", platform_id=state.platform_id, wanted="issued")), [state])
    if task.has_ended and store.tells_ends and state.status is CodeStatus.EXPIRED:
        return Done(_result(row, over), [state])
    try:
        store.codes.suspend_code(store.access, state.platform_id)
    except Gone:
        return Done(_result(row, over), lost=[row.code])
    reason = "its end has come" if task.has_ended else "its order was taken back"
    return Done(_result(row, Outcome("suspended", platform_id=state.platform_id), ("code.suspended", reason)), [state])


def suspend_ended(store: Store, task: Task) -> Sequence[tuple[Task, Done]]:
    """
    As `suspend` for each of several; where the store stops answering, what was done counts, and the rest is asked again soon.

    Raises what the first one raises.
    """
    done: list[tuple[Task, Done]] = []
    for row in task.rows:
        part = replace(task, rows=[row])
        try:
            done.append((part, suspend(store, part)))
        except TransientError:
            if not done:
                raise
            return [*done, (replace(task, rows=task.rows[len(done) :]), Done(Result({})))]
    return done


def withdraw(store: Store, task: Task) -> Done:
    """From now on the store refuses these codes of a series."""
    series = _series(task)
    store.codes.withdraw_codes(store.access, series, task.names)
    # What was never there is made, not restored, if it is wanted again.
    outcomes = {_id(row): Outcome("suspended", (row.platform_id or series) if row.actual == "issued" else None) for row in task.rows}
    reason = "the end of the series has come" if task.has_ended else "their orders were taken back"
    return Done(Result(outcomes, [("code.suspended", f"{_count(task.rows)}: {reason}")]))


def clear(store: Store, task: Task) -> Done:
    """Take a discount out of the store that nobody used; one that was used stays, and so does one that the merchant lets live on."""
    row = task.first
    state = _own(store, task)
    if state is None:
        return Done(_result(row, Outcome("deleted", refusal=None if row.platform_id else CHANGED)), lost=[row.code])
    if task.has_ended and _is_moved(task, state):
        return Done(_result(row, _kept(row, CHANGED)), [state])
    if state.used > 0 or (state.codes or 1) > 1:
        return Done(_result(row, _kept(row, USED), ("code.kept", "it was used")), [state])
    try:
        store.codes.delete_code(store.access, state.platform_id)
    except ShopClosed:
        raise
    except (Rejected, NotPermitted) as error:
        reason = _words(row, error)
        return Done(_result(row, _kept(row, reason), ("code.kept", reason)), [state])
    return Done(_result(row, Outcome("deleted"), ("code.cleared", "")), lost=[row.code])


def clear_many(store: Store, task: Task) -> Done:
    """Take those of these codes of a series that nobody used out of the store."""
    try:
        told = store.codes.clear_codes(store.access, _series(task), task.names)
    except Gone:
        told = task.names
    gone = {code.lower() for code in told}
    left = [row for row in task.rows if row.code.lower() in gone]
    kept = [row for row in task.rows if row.code.lower() not in gone]
    outcomes = {_id(row): Outcome("deleted", refusal=NEVER if row.actual == "none" else None) for row in left}
    outcomes |= {_id(row): _kept(row, USED) for row in kept}
    log = [("code.cleared", _count(left))] if left else []
    log += [("code.kept", f"{_count(kept)}: used, or let live on by the merchant")] if kept else []
    return Done(Result(outcomes, log), lost=[row.code for row in left])


def look(store: Store, task: Task) -> Done:
    """Ask for codes that were given by their names: where each is a discount of its own, only this tells which."""
    states: list[CodeState] = []
    outcomes: dict[int, Outcome] = {}
    for row in task.rows:
        state = store.codes.read_code(store.access, row.code)
        if state is not None:
            states.append(state)
            outcomes[_id(row)] = Outcome("issued", platform_id=state.platform_id)
        elif row.attempts >= LOOKS:
            outcomes[_id(row)] = Outcome("none")
    return Done(Result(outcomes), states)


CALLS: Mapping[Act, Callable[[Store, Task], Done]] = {
    Act.ISSUE: issue,
    Act.ISSUE_MANY: issue_many,
    Act.RESUME: resume,
    Act.RESTORE: restore,
    Act.SUSPEND: suspend,
    Act.WITHDRAW: withdraw,
    Act.CLEAR: clear,
    Act.CLEAR_MANY: clear_many,
    Act.LOOK: look,
}
"""What to call for each act that needs the store."""


def _own(store: Store, task: Task) -> CodeState | None:
    """The code as the store has it, None if that is none of ours: there is none, or another discount has the name."""
    row = task.first
    if row.platform_id is None and row.role == "shared":
        # Nobody knows whether it was made before somebody died; the name may be the merchant's own.
        return None
    state = store.codes.read_code(store.access, row.code)
    return state if state is not None and row.platform_id in (None, state.platform_id) else None


def _is_moved(task: Task, state: CodeState) -> bool:
    """Whether the merchant gave the code another end, or none, which has not come yet."""
    return state.ends_at is None or state.ends_at > task.now


def _sort(task: Task, answer: IssuedCodes, action: str, refuse: Callable[[OfferCodeRow, str], Outcome]) -> Result:
    """By code what the store made of it; those of which it says nothing are asked for again."""
    issued = {code.lower() for code in answer.issued}
    refused = {code.lower(): why for code, why in answer.refused.items()}
    outcomes: dict[int, Outcome] = {}
    for row in task.rows:
        name = row.code.lower()
        if name in issued:
            outcomes[_id(row)] = Outcome("issued")
        elif name in refused:
            outcomes[_id(row)] = refuse(row, refused[name])
    log = [(action, _count(issued))] if issued else []
    log += [("code.refused", f"{_count(refused)}: {', '.join(sorted(set(refused.values())))}")] if refused else []
    return Result(outcomes, log)


def _renamed(row: OfferCodeRow, why: str) -> Outcome:
    """Another name for a unique code, a few times."""
    if row.attempts > NEW_NAMES:
        return Outcome("refused", refusal=why)
    prefix, _, _ = row.code.rpartition("-")
    return Outcome("none", refusal=None, code=spell(secrets.randbits(BITS), prefix))


def _kept(row: OfferCodeRow, reason: str) -> Outcome:
    """It stays in the store, and out of our hands from now on."""
    actual = "suspended" if row.actual == "none" else row.actual
    return Outcome(actual, wanted=actual, refusal=reason)


def _result(row: OfferCodeRow, outcome: Outcome, *log: tuple[str, str]) -> Result:
    return Result({_id(row): outcome}, log)


def _one(row: OfferCodeRow, outcome: Outcome, *log: tuple[str, str]) -> Done:
    return Done(_result(row, outcome, *log))


def _all(task: Task, outcome: Outcome, *log: tuple[str, str]) -> Result:
    return Result({_id(row): outcome for row in task.rows}, log)


def _words(row: OfferCodeRow, error: PlatformError) -> str:
    """Why a store refuses, in its own words, unless they may hold a person's address."""
    return type(error).__name__ if row.email else str(error)[:200] or type(error).__name__


def _series(task: Task) -> str:
    assert task.model is not None
    assert task.model.platform_id is not None
    return task.model.platform_id


def _count(codes: Sequence[object] | set[str] | Mapping[str, str]) -> str:
    return "1 code" if len(codes) == 1 else f"{len(codes)} codes"


def _id(row: OfferCodeRow) -> int:
    assert row.id is not None
    return row.id
