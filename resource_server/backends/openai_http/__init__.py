"""Models behind an OpenAI-compatible server that the gateway can connect to."""

from resource_server.backends.openai_http.backend import OpenAIHTTPBackend as OpenAIHTTPBackend
from resource_server.backends.openai_http.session import build_session as build_session
