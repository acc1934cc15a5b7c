"""Media in content parts: carried inside the request, or fetched by the framework from hosts the target lists.

A framework that fetches any address a client names would be a door into the cluster's network.
"""

import re
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from resource_server.domain.errors import UnsupportedParameter

# What one URL parser strips or turns into "/" another may not: such addresses are refused whole.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")


def check_media(messages: object, hosts: Collection[str]) -> None:
    """Refuse content parts, in messages of any role, that name media at a host not in `hosts`.

    Args:
        messages: the body's ``messages``; whatever is not a list of objects holds no media.
        hosts: lower case, with the port where it is not the scheme's own (``media.example:8443``).

    Raises:
        UnsupportedParameter: with the place of the part as `param`.
    """
    for place, url in _find_urls(messages):
        if not isinstance(url, str) or not _is_allowed(url, hosts):
            raise UnsupportedParameter(
                "Media must be sent inside the request, as a data: URL; this model fetches none from that address.",
                param=place,
            )


def _find_urls(messages: object) -> Iterator[tuple[str, object]]:
    """Every member of a content part whose name ends in ``url``, or the ``url`` in it, whatever the part's type says.

    Frameworks recognise parts by such names alone (``image_url``, ``audio_url``, ``video_url``, ``file_url``).
    """
    for i, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        for j, part in enumerate(content if isinstance(content, list) else ()):
            for name, value in part.items() if isinstance(part, dict) else ():
                if name.endswith("url") and value is not None:
                    url = value.get("url") if isinstance(value, dict) else value
                    yield f"messages[{i}].content[{j}].{name}", url


def _is_allowed(url: str, hosts: Collection[str]) -> bool:
    if url[:5].lower() == "data:":
        return True
    if not hosts or _AMBIGUOUS.search(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() in hosts
