"""A small client of the admin surface, for tests, demos and scripts. It needs the standard library only."""

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

TIMEOUT_S = 10.0


class Admin:
    """Arranges what a local cloud knows and how it behaves.

    Methods raise `urllib.error.HTTPError` when the cloud refuses; its body says why.
    """

    def __init__(self, base_url: str, admin_token: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.admin_token = admin_token
        self._headers = {"Authorization": f"Bearer {admin_token}", "Content-Type": "application/json"}

    @classmethod
    def from_state_file(cls, path: Path) -> "Admin":
        """The admin of the cloud that wrote this state file."""
        state = json.loads(path.read_text())
        return cls(state["url"], state["admin_token"])

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of `/admin/…`; answers the decoded JSON, or `None`."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.base_url}/admin/{path}"
        request = urllib.request.Request(url, data, self._headers, method=method)  # noqa: S310  (base_url is ours)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            text = response.read()
        return json.loads(text) if text else None

    def add(self, **records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """Add records in the seed format: `add(identities=[{…}], groups=[{…}])`; answers them complete."""
        answer: dict[str, list[dict[str, Any]]] = self.call("POST", "records", records)
        return answer

    def add_client(self, **fields: Any) -> dict[str, Any]:
        """Add one client; answers it with its `id` and `secret`."""
        return self.add(clients=[fields])["clients"][0]

    def add_identity(self, **fields: Any) -> dict[str, Any]:
        """Add one identity; answers it with its `id`."""
        return self.add(identities=[fields])["identities"][0]

    def add_group(self, **fields: Any) -> dict[str, Any]:
        """Add one group; answers it with its `id`."""
        return self.add(groups=[fields])["groups"][0]

    def add_policy(self, **fields: Any) -> dict[str, Any]:
        """Add one policy; answers it with its `id`."""
        return self.add(policies=[fields])["policies"][0]

    def set_member(self, group_id: str, identity: str, *, status: str = "active", role: str = "member") -> None:
        """Set somebody's membership in a group."""
        self.call("PUT", f"groups/{group_id}/members", {"identity": identity, "status": status, "role": role})

    def remove_member(self, group_id: str, identity_id: str) -> None:
        """Take somebody's membership in a group away."""
        self.call("DELETE", f"groups/{group_id}/members/{identity_id}")

    def issue_tokens(self, identity: str, scope: str, **options: Any) -> dict[str, Any]:
        """Tokens as a login would give them; options: `client_id`, `expires_in`, `refresh_tokens`, `session`."""
        answer: dict[str, Any] = self.call("POST", "tokens", {"identity": identity, "scope": scope, **options})
        return answer

    def issue_token(self, identity: str, scope: str, **options: Any) -> str:
        """The access token alone, for scopes of one resource server."""
        token: str = self.issue_tokens(identity, scope, **options)["access_token"]
        return token

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        self.call("POST", "tokens/revoke", {"token": token})

    def revoke_all(self, identity: str, client_id: str | None = None) -> None:
        """Revoke all of somebody's tokens, or those that were issued to one application."""
        self.call("POST", "tokens/revoke", {"identity": identity, "client_id": client_id})

    def set(self, **settings: Any) -> None:
        """Change `skew_s`, `token_lifetime_s`, or `auto_login`."""
        self.call("PATCH", "settings", settings)

    def add_fault(self, action: str = "status", **fields: Any) -> str:
        """Add an HTTP fault (fields of `globus_local.faults.Fault`); answers its id."""
        fault_id: str = self.call("POST", "faults", {"action": action, **fields})["id"]
        return fault_id

    def remove_fault(self, fault_id: str) -> None:
        """Remove one HTTP fault."""
        self.call("DELETE", f"faults/{quote(fault_id)}")

    def set_compute_faults(self, **faults: float) -> None:
        """Change named Compute faults: `drop_results`, `duplicate_results` and the like."""
        self.call("PATCH", "faults/compute", faults)

    def set_rate_limit(self, **fields: Any) -> None:
        """Change the rate limit: `enabled`, `limit`, `window_s`, `services`."""
        self.call("PATCH", "faults/rate-limit", fields)

    def clear_faults(self) -> None:
        """Make the cloud behave."""
        self.call("DELETE", "faults")

    def create_endpoint(self, name: str, owner_id: str, **options: Any) -> str:
        """Start an embedded compute endpoint; options: `id`, `env`, `concurrency`, `allowed_functions`. Its id."""
        body = {"name": name, "owner_id": owner_id, **options}
        endpoint_id: str = self.call("POST", "compute/endpoints", body)["endpoint_id"]
        return endpoint_id

    def delete_endpoint(self, endpoint_id: str) -> None:
        """Stop and forget an embedded compute endpoint."""
        self.call("DELETE", f"compute/endpoints/{quote(endpoint_id)}")

    def restart_broker(self, *, down_s: float = 0.0) -> None:
        """Crash the own broker and bring it back after `down_s` seconds."""
        self.call("POST", "compute/broker/restart", {"down_s": down_s})

    def drop_connections(self) -> int:
        """Cut every AMQP connection to the own broker; how many there were."""
        dropped: int = self.call("POST", "compute/broker/drop-connections")["dropped"]
        return dropped

    def read_ledger(self, service: str | None = None) -> list[dict[str, Any]]:
        """The calls received so far, oldest first."""
        query = f"?{urlencode({'service': service})}" if service else ""
        calls: list[dict[str, Any]] = self.call("GET", f"ledger{query}")["calls"]
        return calls

    def clear_ledger(self) -> None:
        """Forget the calls so far."""
        self.call("DELETE", "ledger")

    def reset(self) -> None:
        """Forget everything but addresses and the admin token."""
        self.call("POST", "reset")
