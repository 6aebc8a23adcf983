"""Ask the server of this container how it is: exit status 0 when its storage takes a write, else 1 and why."""

import http.client
import os
import sys

TIMEOUT_S = 8


def main() -> None:
    """Ask once."""
    port = int(os.environ.get("IDOLCHAT_PORT", "8000"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        body = response.read(10_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"no answer on port {port}: {error}")
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        sys.exit(f"{response.status} {body}")


if __name__ == "__main__":
    main()
