"""Bodies: JSON with one meaning only, as in the rest of the gateway."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from resource_server.domain.strict_json import parse_json


class StrictJSON(BaseParser):
    """A JSON object; the ASGI entry has bounded its length."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002 - the base's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> dict[str, object]:
        """The object. Raises `InvalidValue`."""
        return parse_json(stream.read())
