"""HTTP as uvicorn speaks it, with the gateway's envelope where the bytes are no HTTP at all."""

import secrets

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from resource_server.domain.errors import InvalidValue


class EnvelopeProtocol(HttpToolsProtocol):
    """One connection."""

    def send_400_response(self, msg: str) -> None:
        """Answer what could not be parsed, and close: nobody knows where the next request would begin."""
        error = InvalidValue(f"{msg} Check the request line, the headers and the length of the body.")
        body = error.encode()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", f"req_{secrets.token_hex(12)}".encode()),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[error.http_status], *lines, b"\r\n", body]))
        self.transport.close()
