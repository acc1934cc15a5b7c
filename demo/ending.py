"""How a demo is told to end: by Ctrl-C, by SIGTERM, or by its terminal going away."""

import signal
from types import FrameType

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """Somebody wants the demo to end. No `Exception`: nothing on the way may take it for a failure."""


def raise_at_signals() -> None:
    """From now on the first end signal raises `Ended`, and further ones do not disturb the cleaning up."""
    for signum in END_SIGNALS:
        if signum != signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:  # started under nohup
            signal.signal(signum, _raise_ended)


def ignore_signals() -> None:
    """From now on end signals do nothing: what is running is bounded and ends by itself."""
    for signum in END_SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def _raise_ended(_signum: int, _frame: FrameType | None) -> None:
    ignore_signals()
    raise Ended
