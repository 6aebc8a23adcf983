"""Changes of a conversation that the tests of what follows a storage make, by their names."""

from uuid import UUID

from idolchat_core.models import utc_now
from idolchat_core.storage.contract import Storage
from idolchat_core.testing import a_conversation, a_message


async def change(storage: Storage, how: str, conversation_id: UUID) -> None:
    """Append a message, choose the last as the head, or replace the whole conversation."""
    page = await storage.read_page(conversation_id, limit=1)
    match how:
        case "append":
            await storage.append(conversation_id, [a_message()], expected_count=page.total, updated_at=utc_now())
        case "choose":
            head = {"head": str(page.conversation.messages[-1].id)}
            await storage.update(conversation_id, head, expected_count=page.total)
        case "replace":
            await storage.put(a_conversation("new", id=conversation_id, created_at=utc_now()))
        case _:
            raise ValueError(f"{how!r} is none of append, choose and replace")
