"""Credentials do not stand in logs, whoever put them into a record: our code, a library's, or a traceback."""

import re
from collections.abc import Iterable

REDACTED = "[redacted]"
_MIN_SECRET_LENGTH = 8
"""A shorter one would blot out words that mean nothing."""

_CREDENTIALS = re.compile(
    r"""
      (?P<scheme> \b(?:bearer|basic)\s+ ) [^\s"',;]+
    | (?P<user> ://[^/\s:@"']*: ) [^/\s@"']+ (?=@)
    | (?P<name> (?:token|secret|password|passwd|ticket|api[_-]key|authorization|cookie)["']?\s*[=:]\s*["']? )
      (?!bearer\b|basic\b) [^\s"'&,;})\]]+
    | \bAg[0-9A-Za-z]{40,}                        # a Globus access or refresh token
    | \b\d{9,11}\.[0-9a-f]{16}\.[0-9a-f]{64}      # a relay ticket (relay/tickets.py)
    | \beyJ[\w-]{8,}\.[\w-]+\.[\w-]+              # a JSON web token
    """,
    re.IGNORECASE | re.VERBOSE,
)

# Without any of these there is no credential: most records need no closer look, which costs ten times as much.
_HINTS = (
    "bearer",
    "basic",
    "://",
    "token",
    "secret",
    "passw",
    "ticket",
    "api_key",
    "api-key",
    "authoriz",
    "cookie",
    "eyj",
)
_LONG_WORD = re.compile(r"[0-9A-Za-z]{40}|\beyJ")


class Redactor:
    """Takes credentials out of text, by their shape and, those of this installation, by their value.

    Args:
        secrets: values that must not be seen.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if len(secret) >= _MIN_SECRET_LENGTH}, key=len)[::-1]

    def __call__(self, text: str) -> str:
        """The text with every credential replaced."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        lowered = text.lower()
        if any(hint in lowered for hint in _HINTS) or _LONG_WORD.search(text):
            return _CREDENTIALS.sub(_blot_out, text)
        return text


def _blot_out(match: re.Match[str]) -> str:
    return (match["scheme"] or match["user"] or match["name"] or "") + REDACTED
