from pathlib import Path

import pytest

from tests.integration.token_script.script import TokenScript


@pytest.fixture
def script(tmp_path: Path) -> TokenScript:
    """The script with no settings at all."""
    return TokenScript(tmp_path)
