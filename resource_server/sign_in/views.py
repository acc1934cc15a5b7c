"""Pages of signing in and out."""

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from resource_server.sign_in.callers import find_visitor


@never_cache
@require_safe
def sign_in(request: HttpRequest) -> HttpResponse:
    """Where people sign in, and see that they have."""
    return render(request, "sign_in/sign_in.html", {"visitor": find_visitor(request)})


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the browser session."""
    logout(request)
    return HttpResponseRedirect(reverse("sign_in"))
