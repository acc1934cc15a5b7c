"""The status page for people. It works without scripts, and for strangers without a database."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from resource_server.domain.errors import AuthUnavailable
from resource_server.sign_in.bridge import find_bridge
from resource_server.sign_in.callers import find_visitor
from resource_server.ui.content import Content, read_personal, read_public
from resource_server.ui.snippets import build_snippets
from resource_server.ui.usage import find_usage
from resource_server.ui.without_database import are_sessions_away


@require_safe
def show_status(request: HttpRequest) -> HttpResponse:
    """What the reader may know: their own models and usage, or what everybody may know."""
    visitor = find_visitor(request)
    caller = visitor.caller if visitor else None
    content = _read_content(request)
    path, model = content.find_example()
    context = {
        "content": content,
        "visitor": visitor,
        "caller": caller,
        "username": request.user.get_username() if visitor else "",
        "usage": find_usage(caller.principal.sub) if caller else None,
        "base_url": request.build_absolute_uri(path),
        "snippets": build_snippets(request.build_absolute_uri(path), model),
        "are_sessions_away": are_sessions_away(request),
    }
    return _show(request, "status", context, is_personal=visitor is not None)


def show_nothing(request: HttpRequest) -> HttpResponse:
    """No such page."""
    return _show(request, "not_found", {}, status=404)


def _read_content(request: HttpRequest) -> Content:
    visitor, bridge = find_visitor(request), find_bridge(request)
    if bridge is None:
        return Content(is_known=False)
    try:
        if visitor is None or visitor.caller is None:
            return bridge.run(read_public(bridge.gateway))
        return bridge.run(read_personal(bridge.gateway, visitor.caller))
    except AuthUnavailable:  # the bridge's deadline
        return Content(is_known=False)


def _show(
    request: HttpRequest, name: str, context: Mapping[str, object], status: int = 200, *, is_personal: bool = False
) -> HttpResponse:
    response = render(request, f"ui/{name}.html", dict(context), status=status)
    response["Cache-Control"] = "private, no-store" if is_personal else "no-cache"
    response["X-Robots-Tag"] = "noindex, nofollow"
    patch_vary_headers(response, ["Cookie"])
    return response
