"""Every answer to a POST; the table is in ``docs/relay-protocol.md``."""

from resource_server.relay.base import IngestReply

TAKEN = IngestReply(200, b'{"taken":true}')
MALFORMED = IngestReply(400, b'{"taken":false,"reason":"malformed message"}')
FORBIDDEN = IngestReply(403, b'{"taken":false,"reason":"the ticket does not fit"}')
AHEAD = IngestReply(409, b'{"taken":false,"reason":"earlier messages are missing"}')
GONE = IngestReply(410, b'{"taken":false,"reason":"nobody reads this stream"}')
TOO_LARGE = IngestReply(413, b'{"taken":false,"reason":"too large"}')
BUSY = IngestReply(503, b'{"taken":false,"reason":"busy, send it again"}')

BY_STATUS = {reply.status: reply for reply in (TAKEN, MALFORMED, FORBIDDEN, AHEAD, GONE, TOO_LARGE, BUSY)}
