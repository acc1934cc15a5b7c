"""The personas as the stand-in of the Globus cloud knows them: what the tests of everything else rely on."""

from typing import Any

import globus_sdk
import pytest

from tests.globus_cloud import GlobusCloud
from tests.personas import (
    ALICE,
    BOB,
    CHARLIE,
    GATEWAY_ID,
    GATEWAY_SECRET,
    OTHER_PROVIDER_ID,
    PERSONAS,
    ROBOT,
    SITE_PROVIDER_ID,
    Persona,
)


def introspect(globus: GlobusCloud, token: str) -> dict[str, Any]:
    """What Globus Auth says of the token to the gateway."""
    client = globus_sdk.ConfidentialAppAuthClient(GATEWAY_ID, GATEWAY_SECRET, base_url=globus.url)
    return dict(client.oauth2_token_introspect(token, include="session_info,identity_set_detail").data)


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
def test_persona_token_is_theirs_and_for_the_gateway(globus: GlobusCloud, persona: Persona) -> None:
    answer = introspect(globus, globus.issue_token(persona))
    assert answer["active"] is True
    assert answer["sub"] == persona.id
    assert answer["username"] == persona.username
    assert GATEWAY_ID in answer["aud"]


@pytest.mark.parametrize(
    ("persona", "provider_id"), [(ALICE, SITE_PROVIDER_ID), (BOB, SITE_PROVIDER_ID), (CHARLIE, OTHER_PROVIDER_ID)]
)
def test_person_signed_in_through_their_provider(globus: GlobusCloud, persona: Persona, provider_id: str) -> None:
    session = introspect(globus, globus.issue_token(persona))["session_info"]
    assert {login["idp"] for login in session["authentications"].values()} == {provider_id}


def test_robot_has_no_session(globus: GlobusCloud) -> None:
    session = introspect(globus, globus.issue_token(ROBOT)).get("session_info") or {}
    assert not session.get("authentications")
