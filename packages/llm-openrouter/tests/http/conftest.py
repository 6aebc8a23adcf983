import pytest

from idolchat_llm_openrouter.http import open_http
from idolchat_llm_openrouter.transport import OpenTransport


@pytest.fixture
def open_transport() -> OpenTransport:
    """These tests are about our own HTTP client."""
    return open_http
