"""The operator API as pages: what the answer is, filters, and forms that send JSON. No page holds a script or style."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from resource_server.operator_api.permissions import RowPermissions

_NOT_WRITTEN = ("id", "version", "in_effect")


class Page(BaseRenderer):
    """Shows any answer of the operator API, a failure included, to a browser."""

    media_type = "text/html"
    format = "html"
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002 - the base's signature
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str:
        """The page."""
        context = dict(renderer_context or {})
        view, request, response = context["view"], context["request"], context["response"]
        shown = JSONRenderer().render(data, "application/json", {"indent": 2}).decode()
        is_failure = response.status_code >= 400  # noqa: PLR2004 - HTTP's own line
        return render_to_string(
            "operator_api/page.html",
            {
                "title": view.get_view_name(),
                "description": view.get_view_description(),
                "status": response.status_code,
                "content": shown,
                "links": list(_list_links(view, data)),
                "pages": [
                    (name, data[name]) for name in ("previous", "next") if isinstance(data, dict) and data.get(name)
                ],
                "filters": None if is_failure else _build_filters(view, request),
                "forms": [] if is_failure else list(_list_forms(view, request, data)),
                "root": reverse("operator-root"),
            },
            request=request._request,  # noqa: SLF001 - REST framework's documented way to Django's own
        )


def _list_links(view: Any, data: Any) -> Iterator[tuple[str, str]]:
    """From a list to its rows, by what people know them."""
    lookup = getattr(view, "lookup_field", None)
    rows = data.get("results", []) if isinstance(data, dict) and lookup else []
    for row in rows:
        key = row.get("id" if lookup == "pk" else lookup)
        names = [str(row[name]) for name in ("name", "endpoint_slug", "username", "object_key", "at") if row.get(name)]
        yield f"{key}/", f"{key}: {names[0]}" if names and names[0] != str(key) else str(key)


def _build_filters(view: Any, request: Request) -> Any:
    """The form of the list's filters; `None` where there are none."""
    kind = getattr(view, "filterset_class", None)
    if kind is None or _is_of_one_row(view):
        return None
    return kind(request.query_params, queryset=view.get_queryset(), request=request).form


def _list_forms(view: Any, request: Request, data: Any) -> Iterator[dict[str, str]]:
    """A form for each change that this person may make here."""
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        if method not in view.allowed_methods or not _may(view, request, method):
            continue
        if method == "PUT" and "PATCH" in view.allowed_methods:
            continue  # a page needs one way to change a row
        body = (
            {name: value for name, value in data.items() if name not in _NOT_WRITTEN}
            if _is_of_one_row(view)
            else view.example()
        )
        yield {
            "method": method,
            "version": data.get("version", "") if isinstance(data, dict) else "",
            "body": "" if method == "DELETE" else json.dumps(body, indent=2, ensure_ascii=False, default=str),
        }


def _is_of_one_row(view: Any) -> bool:
    return bool(getattr(view, "detail", False))


def _may(view: Any, request: Request, method: str) -> bool:
    permissions: DjangoModelPermissions = RowPermissions()
    return bool(request.user.has_perms(permissions.get_required_permissions(method, view.queryset.model)))
