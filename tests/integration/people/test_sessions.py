"""What a session holds, and when it ends."""

import time

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client, override_settings

from resource_server.models import User
from resource_server.sign_in.sessions import GLOBUS_BACKEND, LONGEST_S, begin_session, find_token
from tests.integration.people.pages import ADMIN, make_editor

pytestmark = pytest.mark.django_db

TOKEN = "Agtoken-of-alice"


def test_token_is_sealed_in_the_store_and_read_back() -> None:
    session = SessionStore()
    begin_session(session, TOKEN)
    session.save()
    stored = SessionStore(session.session_key)
    assert find_token(stored) == TOKEN
    assert TOKEN not in str(stored.load())
    assert TOKEN not in Session.objects.get().session_data
    with override_settings(SECRET_KEY="another installation's key, as long as keys have to be here"):
        assert find_token(stored) is None


def test_each_page_prolongs_a_session_but_not_for_ever() -> None:
    editor = make_editor()
    before = time.time()
    page = editor.get(f"{ADMIN}/")
    assert page.status_code == 200
    assert page.cookies[next(name for name in page.cookies if "sessionid" in name)]["max-age"] == 3600
    session = editor.session
    assert before + LONGEST_S - 5 <= session["sign_in.ends_at"] <= time.time() + LONGEST_S
    session["sign_in.ends_at"] = time.time() - 1
    session.save()
    page = editor.get(f"{ADMIN}/")
    assert page.headers["Location"] == "/login/?ended=1&next=%2Fresource_server%2Fadmin%2F"
    assert "_auth_user_id" not in editor.session


def sign_in_as_by_globus(token: str) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("alice"))
    session = client.session
    session[BACKEND_SESSION_KEY] = GLOBUS_BACKEND
    begin_session(session, token)
    session.save()
    return client


def test_globus_session_without_its_token_is_over() -> None:
    client = sign_in_as_by_globus("")
    assert client.get(f"{ADMIN}/").headers["Location"].startswith("/login/?ended=1")


def test_globus_session_gets_nothing_where_nobody_can_be_asked() -> None:
    client = sign_in_as_by_globus(TOKEN)  # whatever flags the row has
    page = client.get(f"{ADMIN}/")
    assert page.status_code == 503
    assert "The gateway does not run here" in page.content.decode()
    assert client.post("/sign-out/").status_code == 302
    assert client.get(f"{ADMIN}/").headers["Location"].startswith(f"{ADMIN}/login/")
