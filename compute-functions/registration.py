"""Registering a function's file with Globus Compute, in the name of the service account that the environment names."""

import argparse
import os
import sys
from pathlib import Path

try:
    import globus_sdk
    from globus_compute_sdk import Client
except ImportError as exc:
    sys.exit(f"{exc.name} is not installed: run `pip install globus-compute-sdk` in this environment, then this again.")

HELP = """Registers this function with Globus Compute, prints its UUID and stores that in the current folder, in
{uuid_file}.

The environment says in whose name and where:
  GLOBUS_COMPUTE_CLIENT_ID      the service account's client UUID (SERVICE_ACCOUNT_ID of the gateway)
  GLOBUS_COMPUTE_CLIENT_SECRET  its secret
  GLOBUS_COMPUTE_SERVICE_URL    another Compute service than the public one (optional)
  HTTPS_PROXY                   the way out, where there is one (optional)
"""
EXIT = "Exit status: 0 registered, 1 not registered, or the UUID not stored, 2 wrong arguments."


def register_file(path: str, function_name: str, uuid_file: str) -> None:
    """Register a file's whole text, print the function's UUID and store it in `uuid_file`, in the current folder.

    Raises:
        SystemExit: it could not be registered, or its UUID not be stored; the message says why.
    """
    kept = argparse.RawDescriptionHelpFormatter
    description = HELP.format(uuid_file=uuid_file)
    argparse.ArgumentParser(description=description, epilog=EXIT, formatter_class=kept).parse_args()
    try:
        source = Path(path).read_text(encoding="utf-8")
        uuid = build_client().register_source_code(source=source, function_name=function_name)
    except globus_sdk.NetworkError as exc:
        sys.exit(f"The function was not registered: Globus cannot be reached ({exc}). Check the network, HTTPS_PROXY.")
    except (globus_sdk.GlobusError, ValueError) as exc:
        sys.exit(f"The function was not registered: {exc}")
    print(f"Function registered with UUID - {uuid}")
    try:
        Path(uuid_file).write_text(f"{uuid}\n", encoding="utf-8")
    except OSError as exc:
        sys.exit(f"The UUID could not be stored, write it down: {uuid_file}: {exc.strerror}")
    print(f"The UUID is stored in {uuid_file}.")


def build_client() -> Client:
    """The client of the service account. `GLOBUS_COMPUTE_SERVICE_URL` leads to another service than Globus's."""
    app = globus_sdk.ClientApp(
        "inference-gateway registration",
        client_id=_read_variable("GLOBUS_COMPUTE_CLIENT_ID"),
        client_secret=_read_variable("GLOBUS_COMPUTE_CLIENT_SECRET"),
        config=globus_sdk.GlobusAppConfig(token_storage="memory"),  # noqa: S106 - a kind of storage, no secret
    )
    client = Client(app=app, do_version_check=False)
    service_url = os.environ.get("GLOBUS_COMPUTE_SERVICE_URL")
    if service_url:  # the SDK has no public way to a Compute service at another address
        web_client = type(client._compute_web_client)  # noqa: SLF001
        client._compute_web_client = web_client(base_url=service_url, app=app)  # noqa: SLF001
    return client


def _read_variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value or value.startswith("<"):
        sys.exit(f"{name} is not set: export the service account's client id and secret, then run this again.")
    return value
