"""Who is calling."""

import orjson

from resource_server.domain.replies import Reply
from resource_server.identity.base import Caller


def describe_caller(caller: Caller) -> Reply:
    """The caller's identity; nothing of the token but its end."""
    principal = caller.principal
    return Reply(
        orjson.dumps(
            {
                "id": principal.sub,
                "username": principal.username,
                "name": principal.name,
                "email": principal.email,
                "kind": "client" if principal.is_client else "person",
                "identity_providers": sorted(principal.identity_provider_ids),
                "token_expires_at": int(principal.expires_at),
            }
        )
    )
