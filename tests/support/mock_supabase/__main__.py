import argparse
import signal

from tests.support.mock_supabase.server import MockSupabase


def main() -> None:
    parser = argparse.ArgumentParser(prog="mock_supabase")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--answers-after-ms", type=float, default=0.0)
    asked = parser.parse_args()
    with MockSupabase(asked.port) as mock:
        mock.state.answers_after_s = asked.answers_after_ms / 1000
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    # Before there are other threads, which would take the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
