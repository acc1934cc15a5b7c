"""The few HTML pages that people see; they need no script and load nothing."""

from collections.abc import Iterable
from html import escape

from aiohttp import web

from globus_local.records import Client, Identity

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LAYOUT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; color: #1b2733 }}
  button {{ display: block; width: 100%; margin: .5rem 0; padding: .7rem 1rem; font: inherit; text-align: left;
    background: #fff; border: 1px solid #7a8b99; border-radius: .4rem; cursor: pointer }}
  button:hover, button:focus-visible {{ background: #e8f1fa; outline: 2px solid #1b5e9e }}
  code {{ display: block; padding: .8rem; background: #eef2f5; border-radius: .4rem; overflow-wrap: anywhere }}
  small {{ color: #4a5a68 }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
<p><small>This is globus_local, a stand-in of the Globus cloud on this machine. No password is asked for.</small></p>
</main>
</body>
</html>
"""


def build_login_page(action: str, client: Client, scopes: Iterable[str], people: Iterable[Identity]) -> web.Response:
    """Whom to log in as; `action` is the address that the choice is posted to."""
    choices = "".join(
        f'<button name="identity" value="{escape(person.id)}">{escape(person.name or person.username)}<br>'
        f"<small>{escape(person.username)}</small></button>\n"
        for person in people
    )
    content = (
        f"<p><strong>{escape(client.name)}</strong> asks to act for you, with:</p>\n"
        f"<ul>{''.join(f'<li>{escape(scope)}</li>' for scope in scopes)}</ul>\n"
        f'<form method="post" action="{escape(action)}">\n'
        f"{choices or '<p>Nobody here can meet what the application requires of the login.</p>'}"
        '<button name="identity" value="">Deny</button>\n</form>'
    )
    return _build_page("Log in", content)


def build_code_page(code: str) -> web.Response:
    """The code for people to copy into the application."""
    content = f'<p>Copy this into the application that sent you here:</p>\n<code id="auth-code">{escape(code)}</code>'
    return _build_page("Authorization code", content)


def build_error_page(message: str, status: int) -> web.Response:
    """Why there is no login."""
    return _build_page("The login cannot go on", f"<p>{escape(message)}</p>", status)


def _build_page(title: str, content: str, status: int = 200) -> web.Response:
    text = LAYOUT.format(title=title, content=content)
    return web.Response(status=status, text=text, content_type="text/html", headers=HEADERS)
