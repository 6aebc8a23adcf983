"""What the plugin registers, and what it costs to load."""

from __future__ import annotations

import subprocess
import sys

from idolchat_core.plugins.loader import load_plugins
from idolchat_llm_local import open_local_llm, plugin


def test_the_provider_is_named_local() -> None:
    plugins = load_plugins(plugin, installed=False)

    assert list(plugins.llm_providers) == ["local"]
    assert plugins.llm_providers.get("local") is open_local_llm


def test_the_plugin_is_found_when_installed() -> None:
    plugins = load_plugins(only={"llm-local"})

    assert plugins.llm_providers.origin("local").startswith("idolchat-llm-local ")


def test_importing_the_plugin_leaves_the_library_alone() -> None:
    code = "import sys, idolchat_llm_local.plugin; sys.exit('xllamacpp' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
