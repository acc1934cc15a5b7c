"""Whether the gateway in this container answers; its argument is the port. The exit status says so."""

import http.client
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from inference_gateway.environment import load_environment

TIMEOUT_S = 4


def main(port: int) -> int:
    """Ask it; returns the exit status."""
    # The gateway answers to the names of its hosts only.
    name = next(iter(load_environment().items("ALLOWED_HOSTS")), "localhost").lstrip(".")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/resource_server/health", headers={"Host": "localhost" if name == "*" else name})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as exc:
        print(f"no answer: {exc}")
        return 1
    finally:
        connection.close()
    print(status)
    return 0 if status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
