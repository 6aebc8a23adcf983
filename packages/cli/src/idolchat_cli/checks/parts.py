"""Check the parts that the settings choose, by opening them as a start would."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterator, Sequence
from difflib import get_close_matches
from importlib import import_module

from idolchat_cli.checks.result import CheckResult, fail, ok, warn
from idolchat_core.choice import choose_llm, choose_storages, is_shared, open_bus, open_storage
from idolchat_core.coordination.contract import SharedStorage
from idolchat_core.errors import IdolchatError, ProviderUnavailable
from idolchat_core.llm.contract import LLMProvider, ModelInfo
from idolchat_core.mirror import MirroredStorage, MirrorState, SharedMirror
from idolchat_core.plugins.loader import Plugins
from idolchat_core.settings import CoreSettings

__all__ = ["check_bus", "check_by_plugin", "check_llm", "check_mirrors", "check_plugins", "check_storages"]

PATIENCE_S = 30
LOADING_S, RETRY_S = 10, 0.2


def check_plugins(plugins: Plugins) -> Iterator[CheckResult]:
    """Return what is loaded, and what could not be."""
    for plugin in plugins.loaded:
        if plugin.error:
            yield fail("plugin", str(plugin.error), f"update or uninstall {plugin.distribution or plugin.name}")
        else:
            yield ok("plugin", str(plugin))


async def check_storages(settings: CoreSettings, plugins: Plugins) -> list[CheckResult]:
    """Open each storage that is chosen, and see whether it takes a write."""
    try:
        names = choose_storages(settings, plugins)
    except IdolchatError as error:
        return [fail("storage", str(error))]
    return [finding for name in names for finding in await _tried("storage", _storage(plugins, name))]


async def check_mirrors(settings: CoreSettings, plugins: Plugins) -> list[CheckResult]:
    """See who copies to the mirrors of a storage that several servers share, and how far that is."""
    try:
        has_some = is_shared(settings, plugins) and len(choose_storages(settings, plugins)) > 1
    except IdolchatError:  # which another check tells
        return []
    return await _tried("mirror", _mirrors(settings, plugins)) if has_some else []


async def check_bus(settings: CoreSettings, plugins: Plugins) -> list[CheckResult]:
    """Open the bus, where one is named, and see whether it carries messages."""
    return await _tried("bus", _bus(settings, plugins)) if settings.bus else []


async def check_llm(settings: CoreSettings, plugins: Plugins) -> list[CheckResult]:
    """Open the provider, see whether it can take a request, and whether it knows the model."""
    try:
        name = choose_llm(settings, plugins)
    except IdolchatError as error:
        return [fail("provider", str(error))]
    return await _tried("provider", _provider(plugins, name, settings))


async def check_by_plugin(name: str, where: str) -> list[CheckResult]:
    """Run the check of a plugin, which is imported now."""
    return await _tried(name, _imported(where))


async def _imported(where: str) -> list[CheckResult]:
    module, _, function = where.partition(":")
    return list(await getattr(import_module(module), function)())


async def _tried(check: str, attempt: Coroutine[None, None, list[CheckResult]]) -> list[CheckResult]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await attempt
    except TimeoutError:
        return [fail(check, f"no answer within {PATIENCE_S} seconds")]
    except IdolchatError as error:
        return [fail(check, str(error))]
    except Exception as error:  # noqa: BLE001  a fault of somebody's plugin is a finding as well
        return [fail(check, f"unexpected {type(error).__name__}: {error}", "tell whoever makes the plugin")]


async def _storage(plugins: Plugins, name: str) -> list[CheckResult]:
    async with plugins.storages.get(name)() as storage:
        await storage.check()
    return [ok("storage", f"{name} takes writes ({plugins.storages.origin(name)})")]


async def _mirrors(settings: CoreSettings, plugins: Plugins) -> list[CheckResult]:
    async with open_storage(settings, plugins) as (_, storage):
        if not isinstance(storage, MirroredStorage) or not isinstance(storage, SharedStorage):
            return []
        servers = {instance.address for instance in await storage.instances()}
        states = [await mirror.read_state() for mirror in storage.mirrors if isinstance(mirror, SharedMirror)]
    return [_about_mirror(state, servers) for state in states]


def _about_mirror(state: MirrorState, servers: Collection[str]) -> CheckResult:
    if state.copied_by not in servers:
        said = f"no server copies to {state.name} now"
        return warn("mirror", said, "start a server with this mirror; it goes on where the last one has stopped")
    left = f"{state.pending:,} to be copied, the oldest {state.lag_s:.0f} s old" if state.pending else "all is copied"
    said = f"{state.copied_by} copies to {state.name}: {left}"
    if state.error is not None:
        return warn("mirror", f"{said}; {state.error}", f"what {state.name} lacks is copied as soon as it answers")
    if state.conflicts:
        held = f"{state.conflicts:,} conversations are held otherwise there"
        return warn("mirror", f"{said}; {held}", "idol storage sync mends it")
    return ok("mirror", said)


async def _bus(settings: CoreSettings, plugins: Plugins) -> list[CheckResult]:
    async with open_bus(settings, plugins) as bus:
        if bus is None:
            return []
        if bus.state.problem is not None:
            return [warn("bus", bus.state.problem, "turns go on without; readers at other servers wait for it")]
        return [ok("bus", f"{settings.bus} carries messages ({plugins.buses.origin(settings.bus or '')})")]


async def _provider(plugins: Plugins, name: str, settings: CoreSettings) -> list[CheckResult]:
    async with plugins.llm_providers.get(name)() as llm:
        await _until_ready(llm)
        ready = ok("provider", f"{name} takes requests ({plugins.llm_providers.origin(name)})")
        return [ready, _about_model(settings, llm.default_model, await llm.list_models())]


async def _until_ready(llm: LLMProvider) -> None:
    """Check until it is well: a model that is still being loaded counts as unavailable."""
    deadline = asyncio.get_running_loop().time() + LOADING_S
    while True:
        try:
            return await llm.check()
        except ProviderUnavailable:
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(RETRY_S)


def _about_model(settings: CoreSettings, default: str | None, models: Sequence[ModelInfo]) -> CheckResult:
    in_use = settings.model or default
    if in_use is None:
        return ok("model", "the provider's account decides; IDOLCHAT_MODEL would")
    listed = {model.id: model for model in models}
    if in_use in listed:
        tokens = listed[in_use].context_length
        return ok("model", f"{in_use}, reads {tokens:,} tokens") if tokens else _about_length(in_use, settings)
    similar = get_close_matches(in_use, listed, n=3) or sorted(listed)[:3]
    mend = f"set IDOLCHAT_MODEL to one of the {len(listed)} listed, such as {', '.join(similar)}" if listed else None
    return warn("model", f"{in_use} is not among those that the provider lists", mend)


def _about_length(model: str, settings: CoreSettings) -> CheckResult:
    assumed = f"{settings.context_length:,} tokens"
    if "context_length" in settings.model_fields_set:
        return ok("model", f"{model}, reads {assumed} (IDOLCHAT_CONTEXT_LENGTH)")
    return warn(
        "model",
        f"{model}; the provider does not tell how much it reads, so {assumed} are assumed",
        "set IDOLCHAT_CONTEXT_LENGTH to what the server reads. Ollama reads what its OLLAMA_CONTEXT_LENGTH says, and"
        " cuts the beginning off a longer prompt without a word, so set both alike",
    )
