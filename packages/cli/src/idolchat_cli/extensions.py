"""The commands that plugins add to ``idol``.

To ask the plugins, all of them must be imported, which takes longer than everything else that ``idol --help`` does;
so the answer is remembered until something is installed, removed or changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from idolchat_cli.command_cache import recall, remember
from idolchat_cli.lazy import Lazy

__all__ = ["Extensions", "find_extensions"]


class Extensions(NamedTuple):
    """Commands by name, and a sentence about each plugin that could not be asked."""

    commands: Mapping[str, Lazy]
    problems: Collection[str]


def find_extensions() -> Extensions:
    """Ask the plugins for their commands, or recall what they said."""
    known = recall()
    if known is not None:
        return Extensions(known, ())
    found = _asked()
    if not found.problems:
        remember(found.commands)
    return found


def _asked() -> Extensions:
    # None of this is needed where the answer is known.
    from idolchat_cli.loading import load_everything  # noqa: PLC0415
    from idolchat_core.errors import ConfigurationError, PluginError  # noqa: PLC0415
    from idolchat_core.settings import CoreSettings, read_settings  # noqa: PLC0415

    try:
        found = load_everything(only=read_settings(CoreSettings).plugins)
    except (ConfigurationError, PluginError) as error:
        return Extensions({}, [str(error)])
    return Extensions(found.commands.commands, [str(plugin.error) for plugin in found.plugins.loaded if plugin.error])
