"""A person with a browser: goes to the address that the script shows, logs in, and reads the code."""

import re
import subprocess
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.integration.token_script.script import Result, TokenScript

CODE = re.compile(r'id="auth-code">([^<]+)<')
ANSWER_TIMEOUT_S = 30


def log_in(script: TokenScript, username: str, *arguments: str, **environ: str) -> Result:
    """Run ``authenticate`` and log in as `username` (an id or a username) where it says."""
    with script.start("authenticate", *arguments, **environ) as process:
        shown, address = read_address(process)
        code = read_code(address, username) if address else ""
        stdout, stderr = process.communicate(code + "\n", timeout=ANSWER_TIMEOUT_S)
    return Result(process.args, process.returncode, stdout, shown + stderr)


def read_address(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """What the script says up to the address of the login page, and the address; no address if it ends before."""
    shown = ""
    if process.stderr:
        for line in process.stderr:
            shown += line
            if line.startswith("http"):
                return shown, line.strip()
    return shown, ""


def read_code(address: str, username: str) -> str:
    """Choose `username` on the login page and read the code from the page that follows; empty if there is none."""
    choice = urlencode({"identity": username}).encode()
    found = CODE.search(open_page(address) and open_page(address, choice))
    return found[1] if found else ""


def open_page(address: str, form: bytes | None = None) -> str:
    """The page at an address or behind a form, error pages included."""
    try:
        with urlopen(address, form, timeout=ANSWER_TIMEOUT_S) as page:  # noqa: S310 - the script's own address
            return str(page.read().decode())
    except HTTPError as exc:
        return exc.read().decode()
