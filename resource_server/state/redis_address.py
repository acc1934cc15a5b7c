"""Where Redis is: `REDIS_URL` taken apart."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_DEFAULT_PORT = 6379
_REFUSAL = "REDIS_URL must look like redis://host:6379/0 or rediss://:password@host:6379/0"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A Redis database.

    Attributes:
        is_tls: whether the connection is encrypted; the server's certificate is then verified.
        username: `None` for the default user.
    """

    host: str
    port: int
    database: int
    is_tls: bool
    username: str | None
    password: str | None


def parse_redis_url(url: str) -> RedisAddress:
    """The address in ``redis[s]://[[user]:password@]host[:port][/database]``.

    Raises:
        ValueError: not such a URL. The text does not repeat the URL, which may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port or _DEFAULT_PORT
        database = int(parts.path.removeprefix("/") or 0)
    except ValueError as error:
        raise ValueError(_REFUSAL) from error
    if parts.scheme not in {"redis", "rediss"} or not host or database < 0:
        raise ValueError(_REFUSAL)
    return RedisAddress(
        host=host,
        port=port,
        database=database,
        is_tls=parts.scheme == "rediss",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
