"""Debian's programs, where tests of the marker `prometheus` find them."""

import shutil


def find_program(name: str) -> str:
    """The program's path. Raises `FileNotFoundError`: the marker should have skipped the test."""
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(name)
    return found
