"""Introspection documents are untrusted: what is read of them, and what is refused."""

import pytest

from resource_server.identity.claims import ClaimsInvalid, build_principal, encode_claims, parse_introspection
from tests.unit.identity.fakes import (
    ALICE,
    ALICE_ELSEWHERE,
    ARGONNE,
    CLI_APP,
    NOON,
    ORCID,
    ROBOT,
    build_client_document,
    build_document,
)

HASH = "0" * 64


def test_principal_holds_identities_providers_and_domains() -> None:
    claims = parse_introspection(build_document(sub=ALICE.upper()))
    assert claims is not None
    principal = build_principal(claims, HASH)
    assert principal.sub == ALICE
    assert principal.client_id == CLI_APP
    assert principal.identity_ids == {ALICE, ALICE_ELSEWHERE}
    assert principal.identity_provider_ids == {ARGONNE}
    assert principal.domains == {"anl.gov", "orcid.org"}
    assert principal.expires_at == NOON + 172_800
    assert principal.token_hash == HASH


def test_client_identity_is_told_by_subject_and_app_being_the_same() -> None:
    claims = parse_introspection(build_client_document())
    assert claims is not None
    principal = build_principal(claims, HASH)
    assert principal.is_client
    assert (principal.name, principal.email) == ("", "")
    assert principal.identity_ids == {ROBOT}
    assert principal.identity_provider_ids == frozenset()


def test_names_are_capped() -> None:
    claims = parse_introspection(build_document(name="x" * 10_000, username="y" * 10_000, email="z" * 10_000))
    assert claims is not None
    principal = build_principal(claims, HASH)
    assert max(map(len, (principal.name, principal.username, principal.email))) == 256


def test_inactive_is_none_whatever_else_stands_there() -> None:
    assert parse_introspection({"active": False}) is None
    assert parse_introspection({**build_document(), "active": False}) is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "active",
        {},
        {"active": 1},
        {"active": "true"},
        {"active": True},
        build_document(sub="alice"),
        build_document(sub=None),
        build_document(client_id="../x"),
        build_document(exp=None),
        build_document(exp=float("nan")),
        build_document(exp=float("inf")),
        build_document(aud=None),
        build_document(aud=[1]),
        build_document(scope=["action_all"]),
        build_document(session_info={"authentications": {ALICE: {"idp": "argonne", "auth_time": 0}}}),
        build_document(session_info={"authentications": {ALICE: {"idp": ARGONNE}}}),
        build_document(session_info=[1]),
        build_document(identity_set_detail=[{"username": "x"}]),
        build_document(identity_set_detail={"sub": ALICE}),
        build_document(policy_evaluations=[1]),
    ],
)
def test_malformed_document_gives_no_verdict(document: object) -> None:
    with pytest.raises(ClaimsInvalid):
        parse_introspection(document)


def test_complaint_quotes_no_value() -> None:
    with pytest.raises(ClaimsInvalid) as caught:
        parse_introspection(build_document(sub="secret-value"))
    assert "sub" in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_encoded_claims_read_back() -> None:
    document = build_document(
        identity_set_detail=[{"sub": ALICE, "username": None, "identity_provider": ORCID, "surplus": 1}],
        policy_evaluations={ARGONNE: {"evaluation": True}},
    )
    claims = parse_introspection(document)
    assert claims is not None
    assert parse_introspection(encode_claims(claims)) == claims
