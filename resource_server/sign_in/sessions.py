"""What a browser session holds: the Globus token, sealed, and the moment at which the session ends whatever happens.

The token is in the session store on the server, never in a cookie, and encrypted with a key that is made from
``SECRET_KEY``: a copy of the database opens nobody's account (docs/adr/0060).
"""

import base64
import hmac
import time

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase

GLOBUS_BACKEND = "resource_server.sign_in.globus.GlobusSignIn"
LONGEST_S = 12 * 3600
"""From sign-in to sign-out, however busy the session is; idle ones end by ``SESSION_COOKIE_AGE``."""
_TOKEN, _ENDS_AT = "sign_in.token", "sign_in.ends_at"


def begin_session(session: SessionBase, token: str = "") -> None:
    """Note when the session ends, and keep the Globus token that it was opened with."""
    session[_ENDS_AT] = time.time() + LONGEST_S
    if token:
        session[_TOKEN] = _cipher().encrypt(token.encode()).decode()


def is_over(session: SessionBase) -> bool:
    """Whether the session has lasted as long as any may; the time of one without a beginning begins now."""
    ends_at = session.get(_ENDS_AT)
    if not isinstance(ends_at, int | float):
        begin_session(session)
        return False
    return time.time() >= ends_at


def is_of_globus(session: SessionBase) -> bool:
    """Whether the person came by Globus, not by a local password."""
    return session.get(BACKEND_SESSION_KEY) == GLOBUS_BACKEND


def find_token(session: SessionBase) -> str | None:
    """The Globus token of the session; `None` where there is none that this installation sealed."""
    try:
        return _cipher().decrypt(str(session[_TOKEN])).decode()
    except (KeyError, InvalidToken):
        return None


def _cipher() -> Fernet:
    key = hmac.digest(settings.SECRET_KEY.encode(), b"tokens of browser sessions 1", "sha256")
    return Fernet(base64.urlsafe_b64encode(key))
