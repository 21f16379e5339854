"""
What a store bears, judged by its answers: so many calls at once, pages of so many records. Pure.

A page that takes longer than it does when little is asked has waited in the store for others of ours: so calls beyond what its workers
carry are found without knowing how many workers there are, and taken back. Whatever takes twice as long as usual takes a third of
the calls away, at the second page, for then the store has other things to do.
"""

from dataclasses import dataclass

MOST_AT_ONCE, FIRST_AT_ONCE = 8, 2
MOST_FOR_SINGLES = 4
"""So many calls for single records, of which a quick answer tells little."""
MOST_RECORDS, LEAST_RECORDS = 100, 10
"""A page: WooCommerce's own maximum (101 is answered 400), and so few that no server is troubled by them."""
SLOW_SECONDS, QUICK_SECONDS = 5.0, 2.0
QUICK_CALLS, QUICK_PAGES = 4, 2
"""So many quick answers in a row let the pace rise."""
MORE_RECORDS = 20
TWICE, SLOW_PAGES = 1.7, 2
"""As good as twice as long as usual, so many pages in a row."""
STRONG_SECONDS = 0.5
"""A store that makes a page so soon is tried with twice as many calls again and again, until it suffers; any other one once."""
UNFELT_SECONDS = 0.15
"""So much longer than usual is nothing that a store feels."""
CROWDED, AT_EASE = 0.9, 0.5
"""How many of our calls wait in the store for others of ours: too many, and so few that one more may be tried."""
CROWDED_SHARE, AT_EASE_SHARE = 0.18, 0.12
"""The same as a share of all that run, where these are many: no two answers take the same time."""
ROUND = 4
"""At least so many pages are judged together, for no two take the same time; fewer only until the first crowd."""
PATIENCE = 2
"""So many rounds at ease pass after a crowd before one more call is tried again."""
USUAL_SECONDS = 60.0
"""
What is usual is forgotten after one to two times so long, for a store may become slower for good; so often it is measured anew, for a
round with half the calls: else what our own calls add would soon be taken for usual.
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """
    How a call went: `status` 0 if nothing was sent, 599 if nothing came back; `records`: how many a page of `kind` holds, 0 for no page.

    `beside`: how many calls ran when it began, itself included.
    """

    status: int
    began: float
    seconds: float
    kind: str = ""
    records: int = 0
    beside: int = 1


class _Usual:
    """The least that a page of one kind and size took lately."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._before: float | None = None
        self._lately: float | None = None

    def grows_old(self, now: float) -> bool:
        """Forget what is too old; whether it is time to measure anew."""
        age = now - self._since
        if age < USUAL_SECONDS:
            return False
        self._since, self._before, self._lately = now, self._lately if age < 2 * USUAL_SECONDS else None, None
        return True

    def least(self) -> float | None:
        """None if there was none lately."""
        return min((one for one in (self._before, self._lately) if one is not None), default=None)

    def note(self, seconds: float) -> None:
        """It took so long."""
        self._lately = seconds if self._lately is None else min(self._lately, seconds)


class Steering:
    """How many calls at once, and how many records on a page. Not thread-safe."""

    def __init__(self) -> None:
        self.at_once, self.records = FIRST_AT_ONCE, MOST_RECORDS
        self._quick_calls = self._quick_pages = 0
        self._usual: dict[tuple[str, int], _Usual] = {}
        self._round: list[Answered] = []
        self._round_of = ("", 0)
        self._slow = self._patience = self._back_to = 0
        self._changed_at = float("-inf")
        self._is_new = True

    def note(self, answer: Answered) -> None:
        """Learn from a call that was answered, or was not."""
        now = answer.began + answer.seconds
        is_trouble = answer.status >= 500 or answer.status in (429, 430)
        if (is_trouble or answer.seconds >= SLOW_SECONDS) and answer.began < self._changed_at:
            # It tells of the same trouble as the one before it: the calls that were sent together suffered together.
            return
        if is_trouble:
            self._fall(now, self.at_once // 2, self.records // 2)
        elif not answer.status:
            return
        elif answer.seconds >= SLOW_SECONDS:
            self._fall(now, self.at_once - 1, self.records * 3 // 4 if answer.records else self.records)
        elif answer.records:
            self._note_page(answer, now)
        elif answer.seconds <= QUICK_SECONDS:
            self._note_single(now)

    def _note_single(self, now: float) -> None:
        self._quick_calls += 1
        if self._quick_calls >= QUICK_CALLS and self.at_once < MOST_FOR_SINGLES:
            self._set(now, self.at_once + 1)

    def _note_page(self, answer: Answered, now: float) -> None:
        # Small pages say nothing of how long large ones take. Walks ask for a little less than a page.
        if answer.seconds <= QUICK_SECONDS and answer.records * 2 > self.records:
            self._quick_pages += 1
            if self._quick_pages >= QUICK_PAGES:
                self.records, self._quick_pages = min(self.records + MORE_RECORDS, MOST_RECORDS), 0
        # What was begun before the last change tells how it was then.
        if answer.began < self._changed_at:
            return
        key = (answer.kind, (answer.records + 12) // 25)
        usual = self._usual.setdefault(key, _Usual(now))
        if usual.grows_old(now) and self.at_once > FIRST_AT_ONCE:
            back_to = self.at_once
            self._set(now, back_to // 2)
            self._back_to = back_to
            return
        least = usual.least()
        if least is not None and answer.seconds >= max(least * TWICE, least + UNFELT_SECONDS):
            self._slow += 1
            if self._slow >= SLOW_PAGES:
                self._fall(now, min(self.at_once * 2 // 3, self.at_once - 1), self.records)
                return
        else:
            self._slow = 0
        if least is None and answer.beside == 1:
            usual.note(answer.seconds)
        if key != self._round_of:
            self._round_of, self._round = key, []
        self._round.append(answer)
        if len(self._round) >= max(self.at_once, 2 if self._is_new else ROUND):
            self._end_round(usual, now)

    def _end_round(self, usual: _Usual, now: float) -> None:
        """As many pages as calls at once: do they wait for each other?"""
        mean = sum(one.seconds for one in self._round) / len(self._round)
        beside = sum(one.beside for one in self._round) / len(self._round)
        is_used = max(one.beside for one in self._round) >= self.at_once
        self._round = []
        usual.note(mean)
        if self._back_to:
            self._set(now, self._back_to)
            return
        least = usual.least() or mean
        is_felt = mean - least >= UNFELT_SECONDS
        waiting = beside * (1 - least / mean) if is_felt else 0.0
        if waiting >= max(CROWDED, CROWDED_SHARE * beside):
            self._patience, self._is_new = PATIENCE, False
            self._set(now, max(self.at_once - max(int(waiting) // 2, 1), 1))
        elif waiting <= max(AT_EASE, AT_EASE_SHARE * beside) and is_used:
            if self._patience:
                self._patience -= 1
            elif self.at_once < MOST_AT_ONCE:
                is_begin = self._is_new and not waiting and (mean <= STRONG_SECONDS or self.at_once == FIRST_AT_ONCE)
                more = self.at_once if is_begin else 1
                self._set(now, min(self.at_once + more, MOST_AT_ONCE))

    def _fall(self, now: float, at_once: int, records: int) -> None:
        self.records = max(records, LEAST_RECORDS)
        self._quick_pages, self._is_new = 0, False
        self._set(now, max(at_once, 1))

    def _set(self, now: float, at_once: int) -> None:
        self.at_once, self._changed_at = at_once, now
        self._quick_calls = self._slow = self._back_to = 0
        self._round = []
