"""Servers that ask who is calling, for API keys."""

import pytest

from idolchat_api import ApiSettings


@pytest.fixture
def settings(settings: ApiSettings) -> ApiSettings:
    return settings.model_copy(update={"auth": "api-key", "docs": "on"})
