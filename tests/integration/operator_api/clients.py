"""People in front of the operator API, in this process: accounts with the permissions that their roles have."""

import json
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from resource_server.models import User
from resource_server.sign_in.permissions import OPERATOR

BASE = "/resource_server/operator"
UUID = "0de30000-0000-4000-8000-00000000e001"
ENDPOINT = {"cluster": "polaris", "framework": "vllm", "model": "m", "endpoint_uuid": UUID, "function_uuid": UUID}
TARGET = {"backend": "simulated", "cluster": "polaris", "framework": "vllm", "model": "m"}
FEDERATED = {"name": "M", "target_model_name": "m", "targets": [TARGET]}


class Api:
    """Somebody who sends JSON, or nobody in particular."""

    def __init__(self, user: User | None = None) -> None:
        self.user = user
        self.client = Client()
        if user is not None:
            self.client.force_login(user)

    def get(self, path: str, **parameters: Any) -> Any:
        return self.client.get(f"{BASE}/{path}", parameters)

    def send(self, method: str, path: str, body: Any = None, *, version: str | None = None, **headers: str) -> Any:
        """Send `body`, for the row's `version` where one is given."""
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic(method, f"{BASE}/{path}", data, content_type="application/json", headers=headers)

    def create(self, path: str, body: Any) -> dict[str, Any]:
        """A new row, as it was answered."""
        response = self.send("POST", path, body)
        assert response.status_code == 201, response.content
        created: dict[str, Any] = response.json()
        return created


def build_user(name: str, permissions: Iterable[str] = (), **fields: Any) -> User:
    """An account with permissions such as ``resource_server.view_cluster``."""
    user = User.objects.create_user(name, **fields)
    codes = [permission.removeprefix("resource_server.") for permission in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return user


def build_people() -> dict[str, Api]:
    """Everybody of the table of roles."""
    views = [permission for permission in OPERATOR if ".view_" in permission]
    return {
        "anonymous": Api(),
        "nobody": Api(build_user("nobody", OPERATOR)),  # whatever permissions: who is not staff has no role
        "viewer": Api(build_user("viewer", views, is_staff=True)),
        "operator": Api(build_user("operator", OPERATOR, is_staff=True)),
        "admin": Api(User.objects.create_superuser("admin")),
    }
