"""What whole-product tests share: a mock OpenRouter and servers that talk to it."""

import signal
from collections.abc import Iterator

import pytest

from tests.support.mock_openrouter.fixture import Mock, mock_openrouter, mock_openrouter_process
from tests.support.mock_supabase.fixture import mock_supabase, mock_supabase_server
from tests.support.server import Server
from tests.support.starting import StartServer, forking, start_server, start_shared_server
from tests.support.storages import STORAGE_OF_TESTS

__all__ = [
    "forking",
    "mock_openrouter",
    "mock_openrouter_process",
    "mock_supabase",
    "mock_supabase_server",
    "server",
    "shared_server",
    "start_server",
    "start_shared_server",
    "storage_of_tests",
]

# Where a shell runs the tests in the background, SIGINT is ignored from the start, by those whom we start too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says on which storage the product is tested."""
    parser.addoption("--storage", choices=("local", "postgres"), default="local", help="what the product is tested on")


def pytest_configure(config: pytest.Config) -> None:
    """Print at the end what is left out, and why."""
    if config.getoption("--storage") != "local" and "s" not in config.option.reportchars:
        config.option.reportchars += "s"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what another storage cannot do: what is marked as about files, with the reason that it gives."""
    if config.getoption("--storage") != "local":
        for item in items:
            if (marker := item.get_closest_marker("files")) is not None:
                item.add_marker(pytest.mark.skip(reason=f"storage local: {marker.args[0]}"))


@pytest.fixture(scope="session", autouse=True)
def storage_of_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the chosen storage for the product's processes."""
    if request.config.getoption("--storage") == "postgres":
        STORAGE_OF_TESTS.use_postgres()
    yield
    STORAGE_OF_TESTS.close()


KEY = "sk-or-v1-canary-0123456789"


@pytest.fixture(scope="module")
def shared_server(start_shared_server: StartServer, mock_openrouter_process: Mock) -> Server:
    """Return a server whose models are the mock's.

    It finds memories by their words alone: the model that finds them by meaning is loaded some seconds after the first
    message, for a hundred MiB, which would count as the memory of whatever is measured just then.
    """
    return start_shared_server(
        OPENROUTER_API_KEY=KEY,
        OPENROUTER_BASE_URL=mock_openrouter_process.base_url,
        IDOLCHAT_MODEL="mock/echo",
        SYSTEM_PROMPT="You are Hoshino Mira.",
        IDOLCHAT_MEMORY_SEMANTIC="off",
    )


@pytest.fixture
def server(shared_server: Server, mock_openrouter: Mock) -> Server:
    """Return the module's server, running, and a mock that has seen nothing."""
    if not shared_server.is_running:
        shared_server.start()
    return shared_server
