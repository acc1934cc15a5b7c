"""One AMQP connection: the wire format, the opening handshake, heartbeats and the close."""

import asyncio
import logging
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from pamqp import frame as frames
from pamqp.body import ContentBody
from pamqp.commands import Channel as ChannelMethods
from pamqp.commands import Connection as Methods
from pamqp.constants import FRAME_BODY, FRAME_END, FRAME_HEARTBEAT
from pamqp.exceptions import PAMQPException
from pamqp.frame import FrameTypes
from pamqp.header import ContentHeader, ProtocolHeader
from pamqp.heartbeat import Heartbeat

from globus_local.broker.channel import Channel, dispatch
from globus_local.broker.errors import CHANNEL_ERROR, FRAME_ERROR, ChannelError, ConnectionFault
from globus_local.broker.methods import carry_out
from globus_local.broker.topology import Topology

if TYPE_CHECKING:
    from pamqp.common import FieldTable

logger = logging.getLogger(__name__)

FRAME_MAX_BYTES = 131_072
CHANNEL_MAX = 2047
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
FRAME_HEADER = struct.Struct(">BHI")
CAPABILITIES = ("publisher_confirms", "basic.nack", "consumer_cancel_notify")
FLUSH_S = 1.0  # how long a peer that we closed may take to say so


class Connection(asyncio.Protocol):
    """The broker's side of one TCP connection."""

    def __init__(self, topology: Topology, heartbeat_s: int, closed: Callable[["Connection"], None]) -> None:
        self.topology = topology
        self.heartbeat_s = heartbeat_s
        self.frame_max = FRAME_MAX_BYTES
        self.writable = True
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._started = False
        self._closing = False
        self._channels: dict[int, Channel] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # a TCP server's transports can both read and write

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._timer is not None:
            self._timer.cancel()
        self._closing = True
        for channel in self._channels.values():
            channel.release()
        self._channels.clear()
        for queue in [queue for queue in self.topology.queues.values() if queue.owner is self]:
            self.topology.delete_queue(queue)
        self._closed(self)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        dispatch(consumer.queue for channel in self._channels.values() for consumer in channel.consumers.values())

    def data_received(self, data: bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._buffer += data
        try:
            self._consume_buffer()
        except ConnectionFault as error:
            self.close(error)

    # -- frames in

    def _consume_buffer(self) -> None:
        if not self._started:
            if len(self._buffer) < len(PROTOCOL_HEADER):
                return
            self._greet()
        start = 0
        while len(self._buffer) - start >= FRAME_HEADER.size:
            kind, number, size = FRAME_HEADER.unpack_from(self._buffer, start)
            if size > self.frame_max:
                raise ConnectionFault(FRAME_ERROR, f"a frame of {size} bytes is larger than agreed")
            end = start + FRAME_HEADER.size + size + 1
            if end > len(self._buffer):
                break
            raw = bytes(self._buffer[start:end])
            start = end
            if kind != FRAME_HEARTBEAT:
                self._receive(number, _parse(kind, raw))
        del self._buffer[:start]

    def _greet(self) -> None:
        offered = bytes(self._buffer[: len(PROTOCOL_HEADER)])
        del self._buffer[: len(PROTOCOL_HEADER)]
        self._started = True
        if offered != PROTOCOL_HEADER:
            self._write(ProtocolHeader().marshal())
            self.abort()
            return
        capabilities: FieldTable = dict.fromkeys(CAPABILITIES, True)
        properties: FieldTable = {"product": "globus_local", "version": "1", "capabilities": capabilities}
        self.send(0, Methods.Start(0, 9, properties, "PLAIN AMQPLAIN", "en_US"))

    def _receive(self, number: int, frame: FrameTypes) -> None:
        if self._closing:
            if isinstance(frame, Methods.CloseOk):
                self.abort()
        elif number == 0:
            self._negotiate(frame)
        elif isinstance(frame, ChannelMethods.Open):
            self._channels[number] = Channel(number, self, self.topology)
            self.send(number, ChannelMethods.OpenOk())
        else:
            self._receive_on_channel(number, frame)

    def _negotiate(self, frame: FrameTypes) -> None:
        match frame:
            case Methods.StartOk():  # any credentials will do: the broker listens on loopback only
                self.send(0, Methods.Tune(CHANNEL_MAX, FRAME_MAX_BYTES, self.heartbeat_s))
            case Methods.TuneOk():
                self.frame_max = frame.frame_max or FRAME_MAX_BYTES
                self._start_heartbeats(frame.heartbeat)
            case Methods.Open():
                self.send(0, Methods.OpenOk())
            case Methods.Close():
                self.send(0, Methods.CloseOk())
                self._finish()
            case Methods.UpdateSecret():
                self.send(0, Methods.UpdateSecretOk())
            case _:
                raise ConnectionFault(FRAME_ERROR, f"{frame.name} does not belong on channel 0")

    def _receive_on_channel(self, number: int, frame: FrameTypes) -> None:
        channel = self._channels.get(number)
        if channel is None:
            raise ConnectionFault(CHANNEL_ERROR, f"channel {number} is not open")
        if isinstance(frame, ChannelMethods.Close):
            channel.release()
            self.send(number, ChannelMethods.CloseOk())
        if isinstance(frame, ChannelMethods.Close | ChannelMethods.CloseOk):
            del self._channels[number]
        elif not channel.closing:
            self._carry_out(channel, frame)

    @staticmethod
    def _carry_out(channel: Channel, frame: FrameTypes) -> None:
        try:
            match frame:
                case ContentBody():
                    channel.receive_body(frame.value)
                case ContentHeader():
                    channel.receive_header(frame)
                case ProtocolHeader() | Heartbeat():
                    raise ConnectionFault(FRAME_ERROR, f"{frame.name} does not belong on a channel")
                case _:
                    carry_out(channel, frame)
        except ChannelError as error:
            channel.close(error)

    # -- frames out

    def send(self, channel: int, *to_send: FrameTypes) -> None:
        """Write frames on a channel; nothing once the connection is gone."""
        self._write(b"".join([frames.marshal(frame, channel) for frame in to_send]))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    # -- life and death

    def _start_heartbeats(self, agreed_s: int) -> None:
        if agreed_s:
            self._timer = asyncio.get_running_loop().call_later(agreed_s / 2, self._beat, agreed_s)

    def _beat(self, agreed_s: int) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._heard_at > 2 * agreed_s:
            logger.warning("a peer was silent for two heartbeats (%d s each): closing its connection", agreed_s)
            self.abort()
            return
        self._write(Heartbeat().marshal())
        self._timer = loop.call_later(agreed_s / 2, self._beat, agreed_s)

    def close(self, reason: ConnectionFault) -> None:
        """Close as the protocol says; the peer has a second to agree."""
        self.send(0, Methods.Close(reason.code, reason.text, 0, 0))
        self._closing = True
        self._buffer.clear()
        asyncio.get_running_loop().call_later(FLUSH_S, self.abort)

    def _finish(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection without a word, as a crash does."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()


def _parse(kind: int, raw: bytes) -> FrameTypes:
    if raw[-1] != FRAME_END:
        raise ConnectionFault(FRAME_ERROR, "a frame without its end octet")
    if kind == FRAME_BODY:  # the bulk of the traffic: no need to look inside
        return ContentBody(raw[FRAME_HEADER.size : -1])
    try:
        return frames.unmarshal(raw)[2]
    except PAMQPException as error:
        raise ConnectionFault(FRAME_ERROR, str(error)) from error
