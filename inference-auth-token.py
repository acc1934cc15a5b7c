#!/usr/bin/env python3
"""Log in to the inference gateway through Globus, and print access tokens for it.

    python inference-auth-token.py authenticate          log in; does nothing where a login is still good
    python inference-auth-token.py authenticate --force  log in anew: other account, new session, new policy
    python inference-auth-token.py get_access_token      print a valid access token, refreshed where needed

Only the token goes to stdout; whatever is meant for people goes to stderr. Settings come from the environment,
or from .env beside this script: GLOBUS_APPLICATION_ID (the gateway), CLI_AUTH_CLIENT_ID, CLI_ALLOWED_DOMAINS,
CLI_TOKEN_DIR, CLI_APP_NAME, and the Globus SDK's own GLOBUS_SDK_* keys.

Exit codes: 0 done, 1 Globus could not be reached or used, 2 wrong settings or usage, 3 a login is needed,
130 interrupted.
"""

import argparse
import contextlib
import os
import sys
import uuid
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import globus_sdk
import jwt
from dotenv import load_dotenv
from globus_sdk.gare import GlobusAuthorizationParameters
from globus_sdk.globus_app import GlobusAppConfig
from globus_sdk.login_flows import CommandLineLoginFlowEOFError, CommandLineLoginFlowManager
from globus_sdk.token_storage import JSONTokenStorage, TokenValidationError
from globus_sdk.token_storage.validating_token_storage import IdentityMismatchError
from globus_sdk.transport import RetryConfig

DEFAULT_CLIENT_ID = "58fdd3bc-e1c3-4ce5-80ea-8d6b87cfb944"
DEFAULT_APP_NAME = "inference_app"
TEXT_BROWSERS = frozenset({"lynx", "www-browser", "links", "elinks", "w3m"})
"""They take the terminal over, and Globus's login pages do not work in them."""

OWNER_ONLY_UMASK = 0o077
REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""Answers to a refresh that mean no, and not that Globus Auth has trouble of its own."""

LOGIN_HINT = "run: python inference-auth-token.py authenticate"
FORCE_HINT = f"{LOGIN_HINT} --force"


class TokenScriptError(Exception):
    """A failure to tell the user; `exit_code` says which kind."""

    exit_code = 1


class SettingsError(TokenScriptError):
    """A setting is missing or malformed."""

    exit_code = 2


class LoginNeededError(TokenScriptError):
    """Nobody is logged in, or the login is no longer good."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says.

    Attributes:
        gateway_id: client UUID of the gateway's Globus application: the resource server of its tokens.
        client_id: UUID of the public Globus app that people log in with.
        allowed_domains: one of them must be in the login's session; empty for any.
        token_dir: where tokens are kept; `None` for where `globus_sdk` keeps them.
        app_name: part of that place, and the name that Globus shows at the login.
    """

    gateway_id: str
    client_id: str
    allowed_domains: list[str]
    token_dir: Path | None
    app_name: str

    @property
    def scope(self) -> str:
        """The scope that the gateway asks of its callers."""
        return f"https://auth.globus.org/scopes/{self.gateway_id}/action_all"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Check the settings. Raises `SettingsError`."""
    token_dir = environ.get("CLI_TOKEN_DIR", "").strip()
    domains = environ.get("CLI_ALLOWED_DOMAINS", "").split(",")
    return Settings(
        gateway_id=_parse_uuid("GLOBUS_APPLICATION_ID", environ.get("GLOBUS_APPLICATION_ID", "")),
        client_id=_parse_uuid("CLI_AUTH_CLIENT_ID", environ.get("CLI_AUTH_CLIENT_ID") or DEFAULT_CLIENT_ID),
        allowed_domains=[domain.strip() for domain in domains if domain.strip()],
        token_dir=Path(token_dir).expanduser() if token_dir else None,
        app_name=environ.get("CLI_APP_NAME", "").strip() or DEFAULT_APP_NAME,
    )


def _parse_uuid(name: str, value: str) -> str:
    if not value.strip():
        raise SettingsError(f"{name} is not set. Put the gateway's client UUID into .env, or export {name}.")
    try:
        return str(uuid.UUID(value.strip()))
    except ValueError as exc:
        raise SettingsError(f"{name} is {value!r}, which is not a UUID. Correct it in .env.") from exc


class LoginFlow(CommandLineLoginFlowManager):
    """Opens a browser where there is one, and always prints the address: any other browser will do."""

    def print_authorize_url(self, authorize_url: str) -> None:
        """Show the address on stderr and try to open it."""
        opened = open_browser(authorize_url)
        hint = "A browser window should open. If not, open" if opened else "Open"
        tell(f"{hint} this address, log in, and copy the code that you are given:\n\n{authorize_url}\n")

    def prompt_for_code(self) -> str:
        """Read the code from stdin; `input` would prompt on stdout."""
        print("Authorization code: ", end="", file=sys.stderr, flush=True)
        if code := sys.stdin.readline().strip():
            return code
        raise CommandLineLoginFlowEOFError("no authorization code was entered")


def open_browser(url: str) -> bool:
    """Try to open a graphical browser on this machine; False in remote sessions and where there is none."""
    if os.environ.get("SSH_TTY") or os.environ.get("SSH_CONNECTION"):
        return False
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    name = getattr(browser, "name", "")
    return Path(str(name)).name not in TEXT_BROWSERS and browser.open(url, new=1)


def build_app(settings: Settings) -> globus_sdk.UserApp:
    """The Globus app of this script; whatever it stores is for its owner's eyes only.

    Raises:
        ValueError: the stored tokens cannot be read.
    """
    os.umask(OWNER_ONLY_UMASK)
    login_client = globus_sdk.NativeAppAuthClient(
        client_id=settings.client_id, app_name=settings.app_name, retry_config=RetryConfig(max_retries=2)
    )
    config = GlobusAppConfig(
        login_flow_manager=LoginFlow,
        # The SDK's default is the same page, but misses a slash where the environment moves Globus Auth.
        login_redirect_uri=f"{login_client.base_url.rstrip('/')}/v2/web/auth-code",
        request_refresh_tokens=True,
        token_storage=JSONTokenStorage(settings.token_dir / "tokens.json") if settings.token_dir else "json",
        token_validation_error_handler=None,
    )
    app = globus_sdk.UserApp(
        settings.app_name,
        login_client=login_client,
        scope_requirements={settings.gateway_id: [settings.scope]},
        config=config,
    )
    storage = app.token_storage.token_storage
    if isinstance(storage, JSONTokenStorage) and storage.file_exists():
        Path(storage.filepath).chmod(0o600)  # the umask covers new files only
    return app


def authenticate(settings: Settings, *, force: bool) -> None:
    """Log in, unless a login is still good and `force` is not set.

    Raises:
        LoginNeededError: the user gave no code, or Globus refused it.
    """
    with build_app(settings) as app:
        if not force and has_good_login(app, settings):
            tell(f"You are logged in already. For another account or a new session, {FORCE_HINT}")
            return
        with contextlib.suppress(globus_sdk.AuthAPIError):  # a token that Globus refuses needs no revoking
            app.logout(sweep=force)
    wishes = GlobusAuthorizationParameters(
        session_required_single_domain=settings.allowed_domains or None, prompt="login" if force else None
    )
    with build_app(settings) as app:  # anew: the one before remembers the identity that has logged out
        try:
            app.login(auth_params=wishes)
        except (CommandLineLoginFlowEOFError, globus_sdk.AuthAPIError) as exc:
            raise LoginNeededError(f"The login did not succeed ({describe(exc)}). To try again, {LOGIN_HINT}") from exc
    tell("You are logged in.")


def has_good_login(app: globus_sdk.UserApp, settings: Settings) -> bool:
    """Whether a token can be had without the user."""
    try:
        get_access_token(app, settings)
    except LoginNeededError:
        return False
    return True


def get_access_token(app: globus_sdk.UserApp, settings: Settings) -> str:
    """A token that is good for another minute at least, refreshed where needed.

    Raises:
        LoginNeededError: nothing is stored, it does not fit, or Globus refuses to refresh it.
    """
    try:
        header = app.get_authorizer(settings.gateway_id).get_authorization_header() or ""
    except TokenValidationError as exc:
        raise LoginNeededError(f"You are not logged in to this gateway. To log in, {LOGIN_HINT}") from exc
    except globus_sdk.AuthAPIError as exc:
        if exc.http_status not in REFUSALS:
            raise
        raise LoginNeededError(f"Globus does not renew your login ({describe(exc)}): {LOGIN_HINT}") from exc
    return header.removeprefix("Bearer ")


def describe(exc: globus_sdk.GlobusError) -> str:
    """A failure in a few words, without the request that caused it."""
    if isinstance(exc, globus_sdk.GlobusAPIError):
        return f"HTTP {exc.http_status}, {exc.message or exc.code}"
    return str(exc)


def tell(message: str) -> None:
    """Say something to the person at the terminal."""
    print(message, file=sys.stderr)


def run(arguments: argparse.Namespace) -> None:
    """Do what the command line asks. Raises `TokenScriptError`."""
    settings = read_settings(os.environ)
    try:
        if arguments.action == "authenticate":
            authenticate(settings, force=arguments.force)
        else:
            with build_app(settings) as app:
                print(get_access_token(app, settings))
    except IdentityMismatchError as exc:
        raise LoginNeededError(f"You logged in with another account than before. To change, {FORCE_HINT}") from exc
    except globus_sdk.GlobusSDKUsageError as exc:
        raise SettingsError(f"{exc}. Correct it in .env.") from exc
    except globus_sdk.GlobusError as exc:
        raise TokenScriptError(f"Globus Auth could not be used ({describe(exc)}). Try again later.") from exc
    except jwt.PyJWTError as exc:
        raise TokenScriptError(f"The login cannot be verified ({exc}). Is this machine's clock right?") from exc
    except (ValueError, OSError) as exc:
        place = settings.token_dir or f"~/.globus/app/{settings.client_id}"
        raise TokenScriptError(f"The tokens in {place} cannot be used ({exc}). Remove them, log in again.") from exc


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """The documented command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    login = actions.add_parser("authenticate", help="log in with Globus")
    login.add_argument("--force", action="store_true", help="log in anew, also with another account")
    actions.add_parser("get_access_token", help="print a valid access token")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Run the command line `argv` and return the exit code."""
    arguments = parse_arguments(argv)
    load_dotenv(Path(__file__).resolve().parent / ".env")  # does not override the environment
    try:
        run(arguments)
    except TokenScriptError as exc:
        tell(str(exc))
        return exc.exit_code
    except KeyboardInterrupt:
        tell("Interrupted.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
