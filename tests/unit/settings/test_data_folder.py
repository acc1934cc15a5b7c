"""The first command of a fresh checkout finds a place for its database."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CONNECT = "import django; django.setup(); from django.db import connection; connection.ensure_connection()"


def test_sqlite_file_is_made_in_a_folder_that_was_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    environ = {"DJANGO_SETTINGS_MODULE": "inference_gateway.settings", "PGHOST": "", "GATEWAY_DATA_DIR": str(folder)}
    subprocess.run([sys.executable, "-c", CONNECT], env=os.environ | environ, cwd=ROOT, check=True)
    assert (folder / "gateway.sqlite3").exists()
