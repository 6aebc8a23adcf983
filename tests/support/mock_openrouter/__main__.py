import argparse
import asyncio
import ssl
import sys

from tests.support.mock_openrouter.server import start

try:
    from uvloop import run
except ImportError:  # works without, only slower
    from asyncio import run


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mock_openrouter")
    parser.add_argument("--port", type=int, default=9100, help="0 takes a free one; the first line printed is the URL")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="speak HTTPS, as the real one does")
    return parser.parse_args()


async def main() -> None:
    given = options()
    tls = None
    if given.tls:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*given.tls)
    server = await start(given.port, tls)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"http{'s' if tls else ''}://127.0.0.1:{port}\n")
    sys.stdout.flush()
    try:
        await server.serve_forever()
    except asyncio.CancelledError:
        server.close()


if __name__ == "__main__":
    try:
        run(main())
    except KeyboardInterrupt:
        sys.exit(130)
