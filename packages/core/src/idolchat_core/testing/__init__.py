"""Conformance kits for plugins, and small real parts for tests; needs the extra ``testing``."""

import pytest

pytest.register_assert_rewrite("idolchat_core.testing.provider")

from idolchat_core.testing.provider import ProviderConformance, asking, collect  # noqa: E402
from idolchat_core.testing.scripted import ScriptedProvider, Step  # noqa: E402

__all__ = ["ProviderConformance", "ScriptedProvider", "Step", "asking", "collect"]
