import time


class Clock:
    """The cloud's own idea of now: the machine's time plus an adjustable skew.

    Attributes:
        skew_s: seconds by which this cloud is ahead (or, negative, behind).
    """

    def __init__(self, skew_s: float = 0.0) -> None:
        self.skew_s = skew_s

    def now(self) -> float:
        """POSIX timestamp in seconds."""
        return time.time() + self.skew_s
