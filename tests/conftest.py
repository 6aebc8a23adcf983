"""What whole-product tests share: a mock OpenRouter and servers that talk to it."""

import pytest

from tests.support.mock_openrouter.fixture import Mock, mock_openrouter, mock_openrouter_process
from tests.support.server import Server, StartServer, start_server

__all__ = ["mock_openrouter", "mock_openrouter_process", "server", "start_server"]

KEY = "sk-or-v1-canary-0123456789"


@pytest.fixture
def server(start_server: StartServer, mock_openrouter: Mock) -> Server:
    """Give a running server whose models are the mock's."""
    return start_server(
        OPENROUTER_API_KEY=KEY,
        OPENROUTER_BASE_URL=mock_openrouter.base_url,
        IDOLCHAT_MODEL="mock/echo",
        SYSTEM_PROMPT="You are Hoshino Mira.",
    )
