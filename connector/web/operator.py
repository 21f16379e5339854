"""
Who may read the figures of this installation (`/metrics`): HTTP Basic with its operator's key.

The sandbox holds only pretend data and is open, but on loopback only.
"""

import base64
import binascii
import hmac
import ipaddress
import secrets
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from connector.config import Settings
from connector.store.sealed import secret_file
from connector.web.inputs import Parts

USER = "operator"
KEY_FILE = "operator.key"
CHALLENGE = {"www-authenticate": 'Basic realm="Connector", charset="UTF-8"'}


def require_operator(request: Request, parts: Parts) -> None:
    """
    Let the operator pass. Raises HTTPException 401 without the right key, 403 for a stranger to the sandbox.
    """
    if parts.settings.sandbox:
        _require_loopback(request, parts.settings)
    elif not _is_operator(request.headers.get("authorization", ""), operator_key(parts.settings)):
        raise HTTPException(401, f"The user is “{USER}”, the password is OPERATOR_KEY or the text in {KEY_FILE}.", CHALLENGE)


def operator_key(settings: Settings) -> str:
    """The operator's password: the setting, or a file beside the data that is made once and readable by its owner only."""
    given = settings.operator_key.get_secret_value() if settings.operator_key is not None else ""
    return given or secret_file(settings.data_dir / KEY_FILE, secrets.token_urlsafe(24))


def _is_operator(authorization: str, key: str) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    return hmac.compare_digest(given, f"{USER}:{key}".encode())


def _require_loopback(request: Request, settings: Settings) -> None:
    """The client's address, and the name it called us by: another site's name may be made to lead to loopback."""
    called = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    ours = urlsplit(settings.public_url).hostname
    if not _is_loopback(request.client.host if request.client else "") or not (called in ("localhost", ours) or _is_loopback(called)):
        raise HTTPException(403, "The sandbox is open to this machine only.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
