import gc
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from idolchat_core import ProviderError
from idolchat_core.testing import asking, collect

type Open = Callable[..., Any]


async def test_a_reply_leaves_nothing_for_the_cyclic_collector(open_provider: Open) -> None:
    """Whatever becomes of it: what the collector has to find holds everybody up while it looks."""
    rings = []
    async with open_provider(retries=0, token_timeout_s=0.1, reply_timeout_s=0.2) as provider:
        for model in (
            "n4",
            "n4-xtardy",
            "n4-xcut",
            "n4-xerr",
            "xerrfirst",
            "x502",
            "xgone",
            "xhang",
            "n4-xstall",
            "xbad",
        ):
            for stream in (True, False):
                gc.collect()
                gc.disable()
                with suppress(ProviderError):
                    await collect(provider, asking("Hi!", model=f"mock/{model}", stream=stream))
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                gc.set_debug(0)
                gc.enable()
                rings += [(model, thing) for thing in gc.garbage if type(thing).__module__.startswith("idolchat")]
                rings += [(model, thing) for thing in gc.garbage if isinstance(thing, TracebackType)]
                gc.garbage.clear()

    assert rings == []
