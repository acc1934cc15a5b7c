"""Rules about Globus: who the gateway is there, and who may come in."""

import uuid
from collections.abc import Iterator

from resource_server.checks.rule import Problem, Rule, host_of, is_filled, is_loopback, scheme_of
from resource_server.domain.settings import Settings

_REGISTER = "Register a service API application with Globus (docs/registration.md) and put its values into .env."
_ADDRESSES = ("GLOBUS_COMPUTE_SERVICE_URL", "GLOBUS_SDK_SERVICE_URL_AUTH", "GLOBUS_SDK_SERVICE_URL_GROUPS")


def _find_no_application(settings: Settings) -> Iterator[Problem]:
    for name in ("GLOBUS_APPLICATION_ID", "GLOBUS_APPLICATION_SECRET"):
        if not is_filled(settings.text(name)):
            yield Problem(f"{name} has no value: no token can be verified.", _REGISTER)


def _find_stand_in(settings: Settings) -> Iterator[Problem]:
    for name in _ADDRESSES:
        if is_loopback(host_of(settings.text(name))):
            yield Problem(f"{name} points to this machine.", "Remove it in production.")


def _find_clear_text(settings: Settings) -> Iterator[Problem]:
    for name in _ADDRESSES:
        url = settings.text(name)
        if url and not is_loopback(host_of(url)) and scheme_of(url) != "https":
            yield Problem(f"{name} does not begin with https://: secrets travel there.", "Use https://, or remove it.")


def _find_other_cloud(settings: Settings) -> Iterator[Problem]:
    name = settings.text("GLOBUS_SDK_ENVIRONMENT")
    if name not in {"", "production"}:
        yield Problem(
            f"GLOBUS_SDK_ENVIRONMENT is {name!r}: tokens of another cloud would be believed.",
            "Remove it in production.",
        )


def _find_no_uuid(settings: Settings) -> Iterator[Problem]:
    for name in ("GLOBUS_APPLICATION_ID", "SERVICE_ACCOUNT_ID"):
        value = settings.text(name)
        if is_filled(value) and not _is_uuid(value):
            yield Problem(
                f"{name} is no UUID.",
                "Copy the Client UUID of the application from app.globus.org/settings/developers.",
            )


def _find_half_account(settings: Settings) -> Iterator[Problem]:
    account, secret = (is_filled(settings.text(f"SERVICE_ACCOUNT_{part}")) for part in ("ID", "SECRET"))
    if account != secret:
        missing = "SERVICE_ACCOUNT_SECRET" if account else "SERVICE_ACCOUNT_ID"
        yield Problem(
            f"{missing} has no value, but its other half has.",
            f"Set {missing} (or its older name POLARIS_ENDPOINT_{missing.rsplit('_', 1)[1]}), or neither.",
        )


def _find_one_application(settings: Settings) -> Iterator[Problem]:
    application = settings.text("GLOBUS_APPLICATION_ID")
    if is_filled(application) and application == settings.text("SERVICE_ACCOUNT_ID"):
        yield Problem(
            "SERVICE_ACCOUNT_ID is GLOBUS_APPLICATION_ID: who reads people's tokens would own the compute endpoints.",
            "Register a service account of its own (docs/registration.md).",
        )


def _find_own_client(settings: Settings) -> Iterator[Problem]:
    for name in ("GLOBUS_APPLICATION_ID", "SERVICE_ACCOUNT_ID"):
        if is_filled(settings.text(name)) and settings.text(name) in settings.items("AUTHORIZED_CLIENTS"):
            yield Problem(
                f"AUTHORIZED_CLIENTS holds {name}: whoever has that secret could call as everybody's service.",
                "Give each program that calls a client of its own.",
            )


def _find_fast_calls(settings: Settings) -> Iterator[Problem]:
    if not settings.text("GLOBUS_COMPUTE_SERVICE_URL") and settings.number("GLOBUS_COMPUTE_INTERVAL_S") < 0.5:  # noqa: PLR2004
        yield Problem(
            "GLOBUS_COMPUTE_INTERVAL_S is below 0.5: the public service refuses more than 20 calls in 10 s.",
            "Write 0.5 or more.",
        )


def _find_no_service_account(settings: Settings) -> Iterator[Problem]:
    if not is_filled(settings.text("SERVICE_ACCOUNT_ID")):
        yield Problem(
            "SERVICE_ACCOUNT_ID is not set: targets behind Globus Compute cannot be used.",
            "Set SERVICE_ACCOUNT_ID and SERVICE_ACCOUNT_SECRET (or POLARIS_ENDPOINT_ID and _SECRET).",
        )


def _find_open_door(settings: Settings) -> Iterator[Problem]:
    if not (
        settings.mapping("AUTHORIZED_IDPS") or settings.items("GLOBUS_GROUPS") or settings.items("GLOBUS_POLICIES")
    ):
        yield Problem(
            "AUTHORIZED_IDPS, GLOBUS_GROUPS and GLOBUS_POLICIES are empty: anybody with a Globus account may come in.",
            "Set one of them, unless that is meant.",
        )


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


RULES = (
    Rule("E005", "the gateway has no Globus application: no token can be verified", _find_no_application),
    Rule("E006", "an address of Globus points to this machine", _find_stand_in),
    Rule("E017", "an address of Globus is not encrypted", _find_clear_text),
    Rule("E018", "another Globus cloud than the public one", _find_other_cloud),
    Rule("E019", "a client id is no UUID", _find_no_uuid),
    Rule("E020", "half of the service account is missing", _find_half_account),
    Rule("E021", "one Globus application in both roles", _find_one_application),
    Rule("E022", "the gateway's own clients may call the gateway", _find_own_client),
    Rule("E023", "more calls to Globus Compute than the public service allows", _find_fast_calls),
    Rule("W001", "no service account: nothing behind Globus Compute can be used", _find_no_service_account),
    Rule("W004", "anybody with a Globus account may come in", _find_open_door),
)
