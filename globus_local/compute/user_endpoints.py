"""User endpoints: an agent starts one per (owner, configuration) below the endpoint that it registered."""

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import orjson

from globus_local.compute.bus import Bus, Outgoing
from globus_local.compute.records import Endpoint
from globus_local.compute.registration import build_registration, declare_endpoint
from globus_local.compute.store import Store
from globus_local.compute.submission import Submission
from globus_local.compute.wire import COMMANDS, command_queue
from globus_local.records import Identity

NAMESPACE = uuid.UUID("6f0a5d3e-8f6b-4d0c-9d57-2f3b8b0c7a11")
START_AGAIN_S = 5.0
"""A user endpoint that was told to start is not told again before this."""


class UserEndpoints:
    """Finds the endpoint that runs a submission and has the agent start it."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store

    async def ensure(self, parent: Endpoint, owner_id: str, config: dict[str, Any]) -> Endpoint:
        """The user endpoint for this owner and configuration, its queues declared."""
        key = orjson.dumps([parent.id, owner_id, config], option=orjson.OPT_SORT_KEYS).decode()
        child_id = str(uuid.uuid5(NAMESPACE, key))
        child = self._store.endpoints.get(child_id)
        if child is None:
            name = f"uep.{parent.id}.{child_id.partition('-')[0]}"
            child = Endpoint(id=child_id, owner_id=owner_id, name=name, parent_id=parent.id)
            self._store.endpoints[child_id] = child
            await declare_endpoint(self._bus, child_id)
        return child

    async def start(self, child: Endpoint, submission: Submission, people: list[Identity]) -> None:
        """Tell the agent to start it, unless it runs or was told a moment ago.

        Args:
            child: what `ensure` found.
            submission: whose configuration renders the agent's template.
            people: the submitter's identities, the effective one first.
        """
        now = time.monotonic()
        if child.is_online(now) or now < child.started_at + START_AGAIN_S or child.parent_id is None:
            return
        child.started_at = now
        command = {
            "command": "cmd_start_endpoint",
            "args": [],  # the agent's child exits silently with anything else
            "kwargs": {
                "name": child.name,
                "user_opts": submission.config,
                "user_runtime": submission.runtime,
                "amqp_creds": build_registration(self._bus.url, child.id),
            },
            "globus_effective_identity": people[0].id,
            "globus_username": people[0].username,
            "globus_identity_set": [_describe(person) for person in people],
        }
        sent_at = datetime.now(UTC)  # the agent compares it with its own clock, so a skewed one would not do
        message = Outgoing(body=orjson.dumps(command), content_type="application/json", sent_at=sent_at)
        await self._bus.publish(COMMANDS, command_queue(child.parent_id), message)


def _describe(person: Identity) -> dict[str, Any]:
    return {
        "sub": person.id,
        "id": person.id,
        "username": person.username,
        "name": person.name,
        "email": person.email,
        "identity_provider": person.provider_id,
    }
