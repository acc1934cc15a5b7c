"""Everything but the tests, each step for itself: ``make check``.

Steps run side by side, all of them whatever fails; what fails shows its output, and the summary says which did.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
MANAGE = (PYTHON, "manage.py")
# The package's console script hides the exit status; this is what it starts.
COMPOSE = str(Path(sysconfig.get_path("purelib")) / "compose" / "docker-compose")

# A deployment as the documentation describes it, for Django's and our own checks of production mode.
PRODUCTION = {
    "DEBUG": "False",
    "SECRET_KEY": "".join(chr(33 + 37 * position % 90) for position in range(64)),
    "ALLOWED_HOSTS": "gateway.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://gateway.example.org",
    "GLOBUS_APPLICATION_ID": "7e570000-0000-4000-8000-00000000c001",
    "GLOBUS_APPLICATION_SECRET": "of the application: checked, never used",
    "SERVICE_ACCOUNT_ID": "7e570000-0000-4000-8000-00000000c002",
    "SERVICE_ACCOUNT_SECRET": "of the account: checked, never used",
    "AUTHORIZED_IDPS": '{"Site": "7e570000-0000-4000-8000-00000000d001"}',
    "PGHOST": "db.example.org",
    "PGPASSWORD": "of the database: checked, never used",
    "REDIS_URL": "rediss://:checked@redis.example.org:6379/0",
    "RELAY_BASE_URL": "https://gateway.example.org/resource_server/relay",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One command that must succeed. `variables` are set on top of the environment."""

    name: str
    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)


STEPS = (
    Step("types", (PYTHON, "-m", "mypy", ".")),
    Step("format", (PYTHON, "-m", "ruff", "format", "--check", ".")),
    Step("lint", (PYTHON, "-m", "ruff", "check", ".")),
    Step("architecture", (PYTHON, str(Path(PYTHON).with_name("lint-imports")))),
    Step("settings", (*MANAGE, "check"), {"DEBUG": "True"}),
    Step("deployment", (*MANAGE, "check", "--deploy", "--fail-level", "WARNING"), PRODUCTION),
    Step("migrations", (*MANAGE, "makemigrations", "--check", "--dry-run"), {"DEBUG": "True"}),
    Step("documents", (PYTHON, "scripts/docs.py", "--check")),
    Step("site", (PYTHON, "-m", "mkdocs", "build", "--strict", "--site-dir", ".cache/site")),
    Step("requirements", (PYTHON, "scripts/lock.py", "--check")),
    Step(
        "compose",
        (COMPOSE, "--env-file", ".env.example", "-f", "docker-compose.yml", "--profile", "monitoring", "config", "-q"),
        {"GATEWAY_ENV_FILE": ".env.example"},
    ),
    Step("image", (str(Path(PYTHON).with_name("hadolint")), "Dockerfile")),
    Step("files", (PYTHON, "scripts/rules.py")),
)


def main() -> int:
    """Run all steps; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda step: run(step, folder), STEPS))
    failed = [step.name for step, succeeded in zip(STEPS, results, strict=True) if not succeeded]
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def run(step: Step, data_dir: str) -> bool:
    """Run one step and print how it went; its output only where it failed."""
    started = time.monotonic()
    variables = {"GATEWAY_DATA_DIR": data_dir, "PYTHONPATH": str(ROOT), **step.variables}
    done = subprocess.run(
        step.command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    word = "ok    " if done.returncode == 0 else "FAILED"
    output = f"{done.stdout}{done.stderr}" if done.returncode else ""
    print(f"{word} {step.name} ({time.monotonic() - started:.1f} s)\n{output}", end="", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
