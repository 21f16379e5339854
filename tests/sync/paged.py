"""A store that is read by pages, from memory: what it holds may change while it is read, and it fails where it is told to."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.canonical import Order, Product, Resource
from connector.platforms import Access, Gone, NotPermitted, TransientError
from connector.reading import Change, Count, Export, Page


@dataclass
class PagedReads:
    """
    `records`: what there is, by kind and id, in the order in which it is listed. `errors`: raised once each, by kind, at the page of that
    number. `unreadable`: ids that make no sense. `lost`: ids that are counted and never listed. `before_page`: called with kind and page.
    `cut`: whether no file can be read. `shown_since`: what is older is hidden, as are those `hidden`.
    """

    records: dict[Resource, dict[str, Change]] = field(default_factory=dict)
    errors: dict[tuple[Resource, int], Exception] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    size: int = 2
    before_page: Callable[[Resource, int], None] = lambda kind, page: None
    asked: list[str] = field(default_factory=list)
    exports: dict[str, list[Change]] = field(default_factory=dict)
    export_states: list[str] = field(default_factory=list)
    withheld: tuple[str, ...] = ()
    cut: bool = False
    shown_since: datetime | None = None
    hidden: set[str] = field(default_factory=set)

    def hold(self, *records: Change) -> None:
        """There is this now."""
        for one in records:
            kind = Resource.ORDER if isinstance(one, Order) else Resource.PRODUCT if isinstance(one, Product) else Resource.CUSTOMER
            self.records.setdefault(kind, {})[one.platform_id] = one

    def changes(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Page:
        """A page of it."""
        start = int(cursor or 0)
        self.before_page(what, start // self.size)
        self.asked.append(f"{what.value} {start}")
        if error := self.errors.pop((what, start // self.size), None):
            raise error
        found = self._span(what, since, until)
        part = [one for one in found[start : start + self.size] if one.platform_id not in self.lost]
        bad = tuple(f"{one.platform_id}: {self.unreadable[one.platform_id]}" for one in part if one.platform_id in self.unreadable)
        good = tuple(one for one in part if one.platform_id not in self.unreadable)
        following = str(start + self.size) if start + self.size < len(found) else None
        return Page(good, following, bad, self.withheld)

    def pages(
        self, access: Access, what: Resource, since: datetime | None, until: datetime | None = None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Page after page."""
        while True:
            page = self.changes(access, what, since, until, cursor)
            yield page
            cursor = page.cursor
            if cursor is None:
                return

    def count(self, access: Access, what: Resource, since: datetime | None = None, until: datetime | None = None) -> Count:
        """How many there are."""
        return Count(len(self._span(what, since, until)))

    def record_now(self, access: Access, what: Resource, platform_id: str) -> Change | None:
        """One of them."""
        self.asked.append(f"{what.value} = {platform_id}")
        if platform_id in self.hidden:
            raise NotPermitted("not shown", platform="fake", call="record", status=200)
        return self.records.get(what, {}).get(platform_id)

    def reaches_back(self, access: Access, what: Resource, now: datetime) -> datetime | None:
        """As far as it shows."""
        return self.shown_since

    def begin_export(self, access: Access, what: Resource, since: datetime | None = None) -> Export:
        """A file of what there is now."""
        name = f"{what.value}-{len(self.exports)}"
        self.exports[name] = self._span(what, since, None)
        return Export(name, "running")

    def look_at_export(self, access: Access, platform_id: str) -> Export:
        """How far it is: as the states say, then ready."""
        if platform_id not in self.exports:
            raise Gone("no such file", platform="fake", call="look")
        state = self.export_states.pop(0) if self.export_states else "ready"
        return Export(platform_id, state, len(self.exports[platform_id]), "https://files.example/1")  # type: ignore[arg-type]

    def read_export(self, access: Access, export: Export, what: Resource, skip: int = 0) -> Iterator[Page]:
        """Its pages, in the same order each time."""
        found = self.exports[export.platform_id]
        if self.cut:
            raise TransientError("cut", platform="fake", call="export_file")
        for start in range(skip * self.size, len(found), self.size):
            self.asked.append(f"{export.platform_id} {start}")
            if error := self.errors.pop((what, start // self.size), None):
                raise error
            yield Page(tuple(found[start : start + self.size]))

    def told_by(self, change: Change, since: datetime) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def _span(self, what: Resource, since: datetime | None, until: datetime | None) -> list[Change]:
        found: Sequence[Change] = list(self.records.get(what, {}).values())
        return [one for one in found if (since is None or one.source_version >= since) and (until is None or one.source_version < until)]
