"""
A process whose own clocks are wrong.

`time.time` and `time.time_ns` as everybody sees them, and `datetime.now/utcnow/today` as our modules see them, run ahead (or
behind), and jump as far again on SIGUSR1. Monotonic clocks stay right, as they do on a machine whose clock is set.
"""

import datetime as datetimes
import signal
import sys
import time

RealDatetime = datetimes.datetime
_real_time, _real_time_ns = time.time, time.time_ns
_OURS = ("connector.", "integrations.", "webhooks.", "sync.")


class _Skew:
    """How far the clocks are ahead."""

    seconds = 0.0


class _Kind(type):
    """Whatever is a datetime counts as one of ours, and the other way round."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, RealDatetime)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, RealDatetime)


class SkewedDatetime(RealDatetime, metaclass=_Kind):
    """`datetime` with a wrong clock; everything it makes is a plain datetime."""

    def __new__(cls, *args: object, **kwargs: object) -> RealDatetime:  # type: ignore[misc]
        return RealDatetime(*args, **kwargs)  # type: ignore[arg-type]

    @classmethod
    def now(cls, tz: datetimes.tzinfo | None = None) -> RealDatetime:  # type: ignore[override]
        """The wrong instant."""
        return RealDatetime.now(tz) + datetimes.timedelta(seconds=_Skew.seconds)

    @classmethod
    def utcnow(cls) -> RealDatetime:  # type: ignore[override]
        """The wrong instant, naive."""
        return cls.now(datetimes.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> RealDatetime:  # type: ignore[override]
        """The wrong day."""
        return cls.now()


def begin(seconds: float) -> None:
    """From now on this process's clocks are wrong; call it when everything is loaded."""
    skew_time(seconds)
    assert skew_datetime() > 0
    signal.signal(signal.SIGUSR1, lambda *_: jump(seconds))


def skew_time(seconds: float) -> None:
    """`time.time` and `time.time_ns` for everybody, also for who has taken hold of them by a name of its own."""
    _Skew.seconds = seconds
    wrong = {_real_time: lambda: _real_time() + _Skew.seconds, _real_time_ns: lambda: _real_time_ns() + int(_Skew.seconds * 1e9)}
    for module in list(sys.modules.values()):
        if module is sys.modules[__name__]:
            continue
        for name, value in list(vars(module).items()):
            if value is _real_time or value is _real_time_ns:
                setattr(module, name, wrong[value])


def skew_datetime() -> int:
    """`datetime` in every module of ours that is loaded; returns in how many."""
    modules = [module for name, module in list(sys.modules.items()) if name.startswith(_OURS)]
    taken = [module for module in modules if getattr(module, "datetime", None) is RealDatetime]
    for module in taken:
        module.datetime = SkewedDatetime  # type: ignore[attr-defined]
    return len(taken)


def jump(seconds: float) -> None:
    """Set the clocks so much further."""
    _Skew.seconds += seconds
