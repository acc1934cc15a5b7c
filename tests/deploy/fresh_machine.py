"""``sudo`` of a machine that is set up: what a guide does as root, done below a folder instead (`tests.deploy.walk`).

Its first argument is that folder, its second the way into PostgreSQL as the superuser; the command follows.
"""

import shlex
import subprocess
import sys

import psycopg

ETC = "/etc/nginx"
# What would be the machine's: its users, and services that the test itself starts.
LEFT_OUT = [["chgrp", "inference", ".env"], ["systemctl", "reload", "nginx"]]


def main(root: str, conninfo: str, command: list[str]) -> int:
    """Do what `command` would; returns its exit status."""
    if command[:3] == ["-u", "postgres", "psql"]:
        run_sql(conninfo, sys.stdin.read())
        return 0
    if command in LEFT_OUT:
        return 0
    here = [f"{root}{word}" if word.startswith(ETC) else word for word in command]
    if here[0] == "nginx":
        here += ["-p", f"{root}{ETC}", "-c", f"{root}{ETC}/nginx.conf"]
    elif here[0] not in {"mkdir", "cp", "ln"} or here == command:
        sys.exit(f"the guide does something as root that the test does not know: {shlex.join(command)}")
    return subprocess.run(here, check=False).returncode


def run_sql(conninfo: str, script: str) -> None:
    """What psql does with a file: one statement after the other, each for itself."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(statement.encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
