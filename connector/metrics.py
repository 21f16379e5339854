"""
What a process counts of itself, in the text format that Prometheus reads (version 0.0.4).

Counters, gauges and histograms are safe to use from any thread and cost well under a microsecond; nothing is computed before
somebody asks. Names: one prefix, base units, `_total` and `_seconds`. Labels name kinds, never a shop or a person.
"""

import platform
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

PREFIX = "connector_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ANSWER_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CALL_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CANCELLED = "cancelled"

Sample = tuple[str, Sequence[tuple[str, str]], float]
"""A line: what is added to the name of its family, its labels, its value."""


@dataclass(frozen=True, slots=True)
class Family:
    """All lines under one name. `kind`: counter, gauge or histogram."""

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]


class Counter:
    """Only ever grows. `add` takes the values of its labels, in their order."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count one more, or `by` more."""
        with self._lock:
            self._values[values] = self._values.get(values, 0.0) + by

    def value(self, *values: str) -> float:
        """How much was counted under these labels."""
        return self._values.get(values, 0.0)

    def values(self) -> Mapping[tuple[str, ...], float]:
        """Everything that was counted, by the values of the labels."""
        with self._lock:
            return dict(self._values)

    def family(self) -> Family:
        """Its lines."""
        samples = [("", tuple(zip(self._labels, values, strict=True)), count) for values, count in sorted(self.values().items())]
        return Family(self._name, "counter", self._text, samples)


class Gauge:
    """A figure that is what it was last set to; without lines until then."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text
        self._value: float | None = None

    def set(self, value: float) -> None:
        """From now on it is this."""
        self._value = value

    def family(self) -> Family:
        """Its line."""
        return Family(self._name, "gauge", self._text, [] if self._value is None else [("", (), self._value)])


class Histogram:
    """How long things took: how many within each bound, their sum and their number, by one label."""

    def __init__(self, name: str, text: str, label: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._text = text
        self._label = label
        self._bounds = tuple(bounds)
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, value: str, seconds: float) -> None:
        """One more under this label."""
        place = bisect_left(self._bounds, seconds)
        with self._lock:
            counts = self._counts.get(value)
            if counts is None:
                counts = self._counts[value] = [0] * (len(self._bounds) + 1)
                self._sums[value] = 0.0
            counts[place] += 1
            self._sums[value] += seconds

    def family(self) -> Family:
        """Its lines; each bound counts all that was faster."""
        with self._lock:
            found = [(value, tuple(counts), self._sums[value]) for value, counts in sorted(self._counts.items())]
        samples: list[Sample] = []
        for value, counts, total in found:
            label, below = (self._label, value), 0
            for bound, count in zip((*map(_number, self._bounds), "+Inf"), counts, strict=True):
                below += count
                samples.append(("_bucket", (label, ("le", bound)), below))
            samples += [("_sum", (label,), total), ("_count", (label,), below)]
        return Family(self._name, "histogram", self._text, samples)


Source = Callable[[], Iterable[Family]]


@dataclass(slots=True)
class Metrics:
    """Everything one process counts. Parts that keep their own figures (door, inbox, log) are added as sources."""

    calls: Counter = field(
        default_factory=lambda: Counter(
            "connector_platform_calls_total", "Calls to other people's servers, by how they ended.", "platform", "call", "outcome"
        )
    )
    call_seconds: Histogram = field(
        default_factory=lambda: Histogram("connector_platform_call_seconds", "How long those calls took.", "platform", bounds=CALL_BOUNDS)
    )
    throttles: Counter = field(
        default_factory=lambda: Counter("connector_platform_throttles_total", "How often we were asked to wait.", "platform", "call")
    )
    throttle_seconds: Counter = field(
        default_factory=lambda: Counter(
            "connector_platform_throttle_seconds_total", "How long throttled calls were asked to wait.", "platform"
        )
    )
    messages: Counter = field(
        default_factory=lambda: Counter(
            "connector_messages_total",
            "Attempts to hand a message over, and messages cancelled before one, by how they ended.",
            "channel",
            "outcome",
        )
    )
    deliveries: Counter = field(
        default_factory=lambda: Counter(
            "connector_deliveries_handled_total", "Kept deliveries that were handled, by what became of them.", "state"
        )
    )
    expired_leases: Counter = field(
        default_factory=lambda: Counter(
            "connector_leases_expired_total", "Messages whose sender vanished in mid-send; their outcome is unknown."
        )
    )
    silent_topics: Counter = field(
        default_factory=lambda: Counter(
            "connector_topics_silent_total",
            "How often a topic of a shop was found silent though something changed.",
            "platform",
            "topic",
        )
    )
    webhooks_missed: Counter = field(
        default_factory=lambda: Counter(
            "connector_webhooks_missed_total",
            "Records of stores that a webhook should have told of and did not, found by comparing.",
            "platform",
            "kind",
        )
    )
    last_sweep: Gauge = field(
        default_factory=lambda: Gauge(
            "connector_last_sweep_success_timestamp_seconds", "When this process last looked for due work and succeeded."
        )
    )
    _sources: list[Source] = field(default_factory=list)
    _started_at: float = field(default_factory=time.time)

    def call_ended(self, platform: str, call: str, outcome: str, seconds: float) -> None:
        """A call to somebody else's server came to its end."""
        self.calls.add(platform, call, outcome)
        self.call_seconds.observe(platform, seconds)

    def throttled(self, platform: str, call: str, seconds: float) -> None:
        """It asks us to leave it alone for so long."""
        self.throttles.add(platform, call)
        self.throttle_seconds.add(platform, by=seconds)

    def messages_cancelled(self, channel: str, count: int) -> None:
        """So many queued messages will never be handed over; their Decisions say why. Tell it after the commit."""
        if count:
            self.messages.add(channel, CANCELLED, by=count)

    def sweep_succeeded(self) -> None:
        """The scheduler looked for due work, now."""
        self.last_sweep.set(time.time())

    def add_source(self, source: Source) -> None:
        """Ask this one too."""
        self._sources.append(source)

    def families(self) -> list[Family]:
        """All of it, as it stands now."""
        calls = (self.calls, self.call_seconds, self.throttles, self.throttle_seconds)
        own = (*calls, self.messages, self.deliveries, self.expired_leases, self.silent_topics, self.webhooks_missed)
        found = [_build(), gauge("process_start_time_seconds", "When this process started.", self._started_at)]
        found += [part.family() for part in (*own, self.last_sweep)]
        return found + [family for source in self._sources for family in source()]


def gauge(name: str, text: str, value: float) -> Family:
    """A figure that is known only now; `name` without the prefix."""
    return Family(PREFIX + name, "gauge", text, [("", (), value)])


def render(families: Iterable[Family]) -> str:
    """The text that Prometheus reads."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += [f"# HELP {family.name} {_help(family.help)}", f"# TYPE {family.name} {family.kind}"]
            lines += [f"{family.name}{end}{_labels(labels)} {_number(value)}" for end, labels, value in family.samples]
    return "\n".join(lines) + "\n"


def _build() -> Family:
    try:
        ours = version("connector")
    except PackageNotFoundError:
        ours = "unknown"
    labels = (("version", ours), ("python", platform.python_version()))
    return Family(PREFIX + "build_info", "gauge", "What runs here.", [("", labels, 1.0)])


def _labels(labels: Sequence[tuple[str, str]]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(text: str) -> str:
    return _help(text).replace('"', r"\"")


def _help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
