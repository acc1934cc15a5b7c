"""Who runs a command, for the audit."""

from getpass import getuser


def find_account_name() -> str:
    """The account on this machine; empty in a container where it has no name."""
    try:
        return getuser()
    except (KeyError, OSError):
        return ""
