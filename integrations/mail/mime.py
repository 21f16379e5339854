"""An Envelope as the bytes that travel after DATA, by the standard library's email package."""

import re
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any

from connector import clock
from connector.messages.envelope import Envelope

_UNFOLDED = frozenset(("message-id", "list-unsubscribe", "list-unsubscribe-post"))
# One address as most of the world writes it. Quoted local parts and literals are legal, and never seen at a checkout.
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\[\]\\]+@[^\s@<>\"(),:;\[\]\\]+")


class BadMailbox(ValueError):
    """An address that cannot be put on the wire; `words` say why without repeating it."""

    def __init__(self, words: str, *, is_malformed: bool) -> None:
        super().__init__(words)
        self.words = words
        self.is_malformed = is_malformed


def plain_address(mailbox: str) -> str:
    """
    The bare ASCII address of a mailbox (`"Name" <a@b>` or `a@b`).

    Raises BadMailbox for anything that is not one address, and for addresses that need SMTPUTF8: too few receivers take
    them, and a silent rewrite would reach somebody else.
    """
    # Without a name the whole text has to be the address: the parser would quietly take the first one of several.
    address = parseaddr(mailbox)[1] if "<" in mailbox else mailbox
    if not _ADDRESS.fullmatch(address) or any(ord(sign) < 32 or ord(sign) == 127 for sign in mailbox):
        raise BadMailbox("this is not an e-mail address", is_malformed=True)
    if not address.isascii():
        raise BadMailbox("the address has letters outside ASCII, which needs SMTPUTF8", is_malformed=False)
    return address


def message_bytes(envelope: Envelope) -> bytes:
    """
    The message with CRLF line ends: multipart/alternative, plain text first, Date from our clock.

    Raises ValueError if a header holds a line break.
    """
    message = EmailMessage(policy=_Policy())
    message["From"] = envelope.sender
    message["To"] = envelope.to
    message["Subject"] = envelope.subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{envelope.message_id}>"
    for name, value in envelope.headers.items():
        message[name] = value
    message.set_content(envelope.text, cte="quoted-printable")
    message.add_alternative(envelope.html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


class _Policy(EmailPolicy):
    """SMTP's policy, but long links stay whole: the library would turn them into encoded words that nobody's button reads."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"linesep": SMTP.linesep, "cte_type": "7bit", **options})

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in _UNFOLDED and value.isascii():
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)
