"""The secret from which the ids of keyed requests follow, so that nobody who knows user and key can guess them."""

from __future__ import annotations

import logging
from uuid import UUID, uuid4

from idolchat_core.errors import StorageError
from idolchat_core.storage.contract import Storage

__all__ = ["derivation_secret"]

log = logging.getLogger(__name__)

_NAMESPACE, _NAME = "server", "derivation-secret"


async def derivation_secret(storage: Storage) -> UUID:
    """Return this installation's secret, a namespace for ``uuid5`` (RFC 9562, section 5.5), which is made once.

    It is a record of the storage, so that the same key finds the same conversation after a restart. Where the storage
    cannot be read, keys of new conversations hold until the process ends.
    """
    try:
        known = await storage.get_record(_NAMESPACE, _NAME)
        if known is None:
            await storage.put_record(_NAMESPACE, _NAME, uuid4().hex.encode())
            known = await storage.get_record(_NAMESPACE, _NAME)
        return UUID((known or b"").decode())
    except (StorageError, ValueError) as error:
        log.error("the secret of keyed requests cannot be kept", extra={"error": type(error).__name__})
        return uuid4()
