"""Protocol errors, with the reply codes of AMQP 0-9-1 (section 1.2 of the specification)."""

NO_ROUTE = 312
ACCESS_REFUSED = 403
NOT_FOUND = 404
RESOURCE_LOCKED = 405
PRECONDITION_FAILED = 406
FRAME_ERROR = 501
CHANNEL_ERROR = 504
UNEXPECTED_FRAME = 505
NOT_IMPLEMENTED = 540


class ProtocolError(Exception):
    """A peer did what the protocol forbids.

    Attributes:
        code: AMQP reply code.
        text: what the peer is told.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class ChannelError(ProtocolError):
    """Closes the channel; the connection lives on."""


class ConnectionFault(ProtocolError):
    """Closes the whole connection."""
