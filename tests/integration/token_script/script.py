"""Runs a copy of the token script as a person would: its own folder, its own ``.env``, its own home."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "inference-auth-token.py"
GATEWAY_ID = "b1c0a2d4-5f3e-4a77-9d0e-2f6f0c1d9a10"
GATEWAY_SECRET = "gateway-secret"
CLIENT_ID = "58fdd3bc-e1c3-4ce5-80ea-8d6b87cfb944"

Result = subprocess.CompletedProcess[str]


class TokenScript:
    """A checkout of the script alone.

    Args:
        folder: an empty folder for the copy and the home.
        environ: settings that every run has as environment variables.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.path = Path(shutil.copy(SCRIPT, folder))
        self.home = folder / "home"
        self.home.mkdir(mode=0o755)
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), **(environ or {})}

    def write_dotenv(self, **settings: str) -> None:
        lines = [f'{key}="{value}"' for key, value in settings.items()]
        self.path.with_name(".env").write_text("\n".join(lines), encoding="utf-8")

    def run(self, *arguments: str, **environ: str) -> Result:
        """Run to the end without a terminal: whatever asks the user reads an end of file."""
        return subprocess.run(
            [sys.executable, str(self.path), *arguments],
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def start(self, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
        """Start with pipes, for a person to talk to."""
        return subprocess.Popen(
            [sys.executable, str(self.path), *arguments],
            env=self.environ | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def token_file(self) -> Path:
        """Where the SDK keeps tokens by default; there must be exactly one."""
        (path,) = self.home.glob(".globus/app/*/*/*tokens.json")
        return path
