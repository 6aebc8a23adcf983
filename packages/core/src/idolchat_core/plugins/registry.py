"""Factories by name: what plugins fill and the entrance reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from idolchat_core.errors import PluginNameTaken, PluginNotFound
from idolchat_core.plugins.services import Services
from idolchat_core.storage.contract import Storage, check_record_name

__all__ = [
    "Factory",
    "NamespaceRegistry",
    "Registry",
    "ServiceFactory",
    "ServiceRegistry",
    "StorageFactory",
    "StorageRegistry",
    "Upgrade",
]

type Factory[T] = Callable[[], AbstractAsyncContextManager[T]]
"""Called without arguments; reads its own settings, opens what it needs, closes it at the end."""
type ServiceFactory[T] = Callable[[Services], AbstractAsyncContextManager[T]]
"""Called with the open services; reads its own settings, opens what it needs beside them, closes it at the end."""
type StorageFactory[T] = Callable[[Storage], AbstractAsyncContextManager[T]]
"""Called with the open storage alone, by commands that need no provider; else as ``ServiceFactory``."""


class Upgrade(Protocol):
    """Brings what a part keeps to the form that its package needs; with ``dry_run`` it only tells.

    Returns a sentence for each thing that was done, or would be. Raises as the part's factory does.
    """

    def __call__(self, *, dry_run: bool = False) -> Awaitable[Sequence[str]]: ...


class _Factories[F]:
    """Factories by name, with who registered each."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._factories: dict[str, F] = {}
        self._origins: dict[str, str] = {}
        self._conditions: dict[str, Callable[[], bool]] = {}
        self._places: dict[str, str] = {}
        self._shared: set[str] = set()
        self._upgrades: dict[str, Upgrade] = {}
        self._adding = "the application"

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._factories))

    def add(
        self,
        name: str,
        factory: F,
        *,
        when: Callable[[], bool] | None = None,
        place: str | None = None,
        is_shared: bool = False,
        upgrade: Upgrade | None = None,
    ) -> None:
        """Register a factory. Raises ``PluginNameTaken``.

        ``when`` tells, once the settings can be read, whether they ask for this part though they do not name it: a
        provider whose key is set, a mirror whose address is set. ``place`` is the variable that says where the part
        keeps what it keeps, so that a command can open another one beside it: ``local:/mnt/new``. ``is_shared`` says
        of a storage that several processes may serve it at once: it is a ``SharedStorage``. ``upgrade`` is what
        ``idol storage upgrade`` does, for a storage that is not upgraded by opening it.
        """
        if name in self._factories:
            raise PluginNameTaken(
                f"{self._adding} registers the {self.kind} {name!r}, which {self._origins[name]} already has;"
                " uninstall one of them, or name the ones to load in IDOLCHAT_PLUGINS"
            )
        self._factories[name] = factory
        self._origins[name] = self._adding
        if when is not None:
            self._conditions[name] = when
        if place is not None:
            self._places[name] = place
        if is_shared:
            self._shared.add(name)
        if upgrade is not None:
            self._upgrades[name] = upgrade

    def get(self, name: str) -> F:
        """Return a factory by name. Raises ``PluginNotFound``, which names those that there are."""
        try:
            return self._factories[name]
        except KeyError:
            installed = ", ".join(self) or "none"
            raise PluginNotFound(f"no {self.kind} named {name!r}; installed: {installed}") from None

    def place_variable(self, name: str) -> str | None:
        """Name the variable that says where a part keeps what it keeps. Raises as ``get``."""
        self.get(name)
        return self._places.get(name)

    def is_shared(self, name: str) -> bool:
        """Return whether several processes may serve a storage at once. Raises as ``get``."""
        self.get(name)
        return name in self._shared

    def upgrade(self, name: str) -> Upgrade | None:
        """Return what upgrades what a part keeps, unless opening it does. Raises as ``get``."""
        self.get(name)
        return self._upgrades.get(name)

    def asked_for(self) -> list[str]:
        """List the names whose own settings ask for them, in order."""
        return [name for name in self if name in self._conditions and self._conditions[name]()]

    def origin(self, name: str) -> str:
        """Return which distribution registered a name."""
        return self._origins[name]

    def adding_from(self, origin: str) -> None:
        """Describe whose registrations follow."""
        self._adding = origin


class NamespaceRegistry:
    """Namespaces of records, with who registered each."""

    def __init__(self) -> None:
        self._origins: dict[str, str] = {}
        self._adding = "the application"

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._origins))

    def add(self, namespace: str) -> None:
        """Register a namespace. Raises ``PluginNameTaken``, and ``ValueError`` for what can be none."""
        check_record_name(namespace)
        if namespace in self._origins:
            raise PluginNameTaken(
                f"{self._adding} registers the namespace {namespace!r}, which {self._origins[namespace]} already has;"
                " uninstall one of them, or name the ones to load in IDOLCHAT_PLUGINS"
            )
        self._origins[namespace] = self._adding

    def adding_from(self, origin: str) -> None:
        """Describe whose registrations follow."""
        self._adding = origin


class Registry[T](_Factories[Factory[T]]):
    """The factories of storages or providers; ``kind`` is their name in messages, such as ``storage``."""


class ServiceRegistry[T](_Factories[ServiceFactory[T]]):
    """The factories of what builds on the open services; ``kind`` as in ``Registry``."""


class StorageRegistry[T](_Factories[StorageFactory[T]]):
    """The factories of what builds on the open storage; ``kind`` as in ``Registry``."""
