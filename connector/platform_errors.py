"""What may go wrong with a platform; `connector.platforms` offers all of it."""

from connector.errors import ConnectorError


class PlatformError(ConnectorError):
    """Something went wrong with a platform. Carries platform, call and status; never a token or personal data."""

    def __init__(self, message: str, *, platform: str, call: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.platform = platform
        self.call = call
        self.status = status


class TransientError(PlatformError):
    """The same call may succeed later: time-outs, 5xx, HTML instead of JSON, a truncated answer."""


class ThrottledError(TransientError):
    """Too many calls; `retry_after` says how many seconds the platform asks us to wait."""

    def __init__(self, message: str, *, platform: str, retry_after: float, call: str = "", status: int | None = None) -> None:
        super().__init__(message, platform=platform, call=call, status=status)
        self.retry_after = retry_after


class AccessLost(PlatformError):
    """Our credentials are dead: mark the shop, stop politely, tell the merchant."""


class NotPermitted(PlatformError):
    """A field or scope is withheld: keep the rest and record it."""


class Rejected(PlatformError):
    """The platform understood and refuses for good; the message keeps its words."""


class Gone(PlatformError):
    """The record asked for does not exist any more."""


class PayloadError(PlatformError):
    """An authentic body that makes no sense: quarantine it. `reason` is a short stable word for counting."""

    def __init__(self, message: str, *, platform: str, reason: str = "payload") -> None:
        super().__init__(message, platform=platform, call="parse")
        self.reason = reason


class OtherSite(PayloadError):
    """An authentic body of another site (`host`) than the shop's: a copy of the store has its keys, and so has one that moved."""

    def __init__(self, message: str, *, platform: str, host: str) -> None:
        super().__init__(message, platform=platform, reason="other_site")
        self.host = host


class ShopClosed(NotPermitted):
    """The platform has frozen, paused or closed the store: nothing can be asked of it, and nobody can buy there."""


class CodeTaken(Rejected):
    """Another discount of the store has this code already; letter case does not tell codes apart."""


class BadSignature(PlatformError):
    """A request that the platform did not sign: answer 401, keep nothing."""


class InstallRefused(PlatformError):
    """An install that must not go on: wrong state, forged callback, missing permission. The message is for the merchant."""
