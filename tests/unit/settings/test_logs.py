"""Log lines: text from elsewhere stays on the line it was written to."""

import logging

from inference_gateway.logs import LineFormatter


def test_control_characters_are_escaped_and_tracebacks_kept() -> None:
    formatter = LineFormatter()
    record = logging.LogRecord("x", logging.INFO, "f", 1, "user=%s", ("a\nINFO forged\x1b[2J\u2028\r",), None)
    assert formatter.format(record).endswith(r" INFO x user=a\nINFO forged\x1b[2J\u2028\r")
    record.exc_text = "Traceback\n  line"
    assert formatter.format(record).endswith("\nTraceback\n  line")
