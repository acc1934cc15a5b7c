"""Failures on demand: a simulated target whose model is named ``fault/<kind>`` fails in that way.

================================  ===================================================================================
``fault/400`` … ``fault/599``     answers with that status and an error as frameworks word it
``fault/refuse``                  no connection: `UpstreamUnavailable`
``fault/slow-first[/<seconds>]``  the first token (of one piece: the status) comes that much later; 12 s by default
``fault/stall-mid``               half of the answer, then silence until somebody gives up
``fault/truncate``                half of the answer, then the connection breaks
``fault/garbage``                 half of the answer, then something that is neither JSON nor an event
``fault/error-event``             half of the answer, then an error in-band and ``[DONE]``, as vLLM ends
``fault/no-finish``               all of the content, then ``[DONE]`` without finish reason and usage
``fault/no-done``                 the whole answer but ``[DONE]``
``fault/<model state>``           answers properly, and reports this state: ``fault/offline``, ``fault/cold``, …
================================  ===================================================================================

Answers in one piece have no events: there ``error-event`` and ``no-finish`` do as ``garbage`` does.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice

from resource_server.backends.base import UpstreamUnavailable
from resource_server.backends.simulated.script import EVENT_STREAM, Ending, Piece, Script, build_error
from resource_server.domain.sse import DONE
from resource_server.domain.states import ModelState

PREFIX = "fault/"
_SLOW_FIRST_S = 12.0
_GARBAGE = b"data: <html>502 Bad Gateway</html>\n\n"
_ERROR = b'data: {"error":{"message":"EngineDeadError","type":"InternalServerError","param":null,"code":500}}\n\n'


def find_state(model: str) -> ModelState | None:
    """The state that a model's name asks to report, or `None`."""
    name = model.removeprefix(PREFIX)
    return ModelState(name) if model.startswith(PREFIX) and name in set(ModelState) else None


def apply_fault(model: str, script: Script) -> Script:
    """The script as the model's name spoils it. Raises `UpstreamUnavailable` for ``fault/refuse``."""
    if not model.startswith(PREFIX) or find_state(model):
        return script
    kind, _, argument = model.removeprefix(PREFIX).partition("/")
    if kind == "refuse":
        raise UpstreamUnavailable("fault/refuse")
    if kind == "slow-first":
        return _delay(script, float(argument or _SLOW_FIRST_S))
    if kind.isdecimal():
        return build_error(int(kind), f"fault/{kind}")
    return _spoil(kind, script)


def _spoil(kind: str, script: Script) -> Script:
    # Iterators all of them: only the chosen script's is ever consumed.
    half = islice(script.pieces, script.half)
    spoiled = {
        "stall-mid": replace(script, pieces=half, ending=Ending.SILENCE),
        "truncate": replace(script, pieces=half, ending=Ending.BREAK),
        "garbage": replace(script, pieces=_append(half, _GARBAGE)),
        "error-event": replace(script, pieces=_append(half, _ERROR, DONE)),
        "no-finish": replace(script, pieces=_append(islice(script.pieces, script.content), DONE)),
        "no-done": replace(script, pieces=(piece for piece in script.pieces if piece.data != DONE)),
    }
    return spoiled.get(kind) or build_error(404, f"The model `{PREFIX}{kind}` does not exist: no such fault.")


def _append(pieces: Iterator[Piece], *data: bytes) -> Iterator[Piece]:
    """`pieces`, and then `data` at the time of the last of them."""
    last = Piece(0.0)
    for last in pieces:
        yield last
    yield from (Piece(last.at_s, more) for more in data)


def _delay(script: Script, delay_s: float) -> Script:
    """All later, but for a stream's status and its first event, which says who speaks."""
    streams = script.content_type == EVENT_STREAM
    opening = islice(script.pieces, int(streams))
    rest = (piece._replace(at_s=piece.at_s + delay_s) for piece in script.pieces)
    opens_at_s = script.opens_at_s + (0.0 if streams else delay_s)
    return replace(script, pieces=chain(opening, rest), opens_at_s=opens_at_s)
