"""The admin pages in this process: an editor with a local account, and forms as browsers send them."""

from typing import Any

from django.test import Client

from resource_server.models import User
from tests.people import Form

ADMIN = "/resource_server/admin"
TARGET: dict[str, Any] = {"backend": "simulated", "cluster": "polaris", "framework": "vllm", "model": "m"}


def make_editor(name: str = "editor") -> Client:
    """Somebody signed in who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser(name, f"{name}@example.org", "x"))
    return client


def address_of(row: Any) -> str:
    """Of the row's change page."""
    return f"{ADMIN}/resource_server/{row._meta.model_name}/{row.pk}/change/"


def open_form(editor: Client, address: str) -> dict[str, str]:
    """The values of the page's form."""
    page = editor.get(address)
    assert page.status_code == 200
    return Form(page.content.decode()).values


def save(editor: Client, address: str, values: dict[str, str]) -> Any:
    """Send them."""
    return editor.post(address, values)
