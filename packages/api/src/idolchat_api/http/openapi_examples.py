"""Examples of requests and replies for the OpenAPI document."""

from __future__ import annotations

from typing import Any

__all__ = [
    "COMPLETION",
    "CONVERSATION",
    "CONVERSATION_LIST",
    "EVENT_STREAM",
    "HEALTH",
    "MODELS",
    "NEW_CONVERSATION",
    "PROMPT",
    "REQUEST_ID",
    "SEARCH",
    "TURN",
    "TURN_REQUEST",
    "USAGE",
    "WINDOW",
]

REQUEST_ID = "5f0c1c6f6e1b4a0f8d2e7c3b"
_CONVERSATION_ID = "0199a1f0-5c1e-7d3a-9b52-3f6a0c1d2e4f"
_TURN_ID = "0199a1f0-5c20-7a11-8c44-0b9e6d5f4a32"
_USER_MESSAGE_ID = "0199a1f0-5c1f-7b0c-a6d1-7e2f8a9b0c1d"
_MESSAGE_ID = "0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b"
_MODEL = "openai/gpt-5-mini"
_USAGE = {"prompt_tokens": 31, "completion_tokens": 6, "total_tokens": 37, "cost": 0.0000198}
_IDS = {"conversation_id": _CONVERSATION_ID, "turn_id": _TURN_ID}

TURN_REQUEST: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hello! What did you do today?"}],
    "model": _MODEL,
    "temperature": 0.8,
}

COMPLETION: dict[str, Any] = {
    "id": f"chatcmpl-{_TURN_ID}",
    "object": "chat.completion",
    "created": 1764100000,
    "model": _MODEL,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "I practised a new song!"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": _USAGE,
    **_IDS,
    "user_message_id": _USER_MESSAGE_ID,
    "message_id": _MESSAGE_ID,
}

_CHUNK = f'{{"id":"chatcmpl-{_TURN_ID}","object":"chat.completion.chunk","created":1764100000,"model":"{_MODEL}"'

EVENT_STREAM = f"""\
retry: 2000
id: {_TURN_ID}:0
data: {_CHUNK},"conversation_id":"{_CONVERSATION_ID}","turn_id":"{_TURN_ID}",\
"choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":null}}],\
"user_message_id":"{_USER_MESSAGE_ID}"}}

id: {_TURN_ID}:1
data: {_CHUNK},"choices":[{{"index":0,"delta":{{"content":"I practised a new song!"}},"finish_reason":null}}]}}

id: {_TURN_ID}:2
data: {_CHUNK},"conversation_id":"{_CONVERSATION_ID}","turn_id":"{_TURN_ID}",\
"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],\
"usage":{{"prompt_tokens":31,"completion_tokens":6,"total_tokens":37}},"message_id":"{_MESSAGE_ID}","state":"completed"}}

data: [DONE]

"""

TURN: dict[str, Any] = {
    **_IDS,
    "state": "running",
    "user_message_id": _USER_MESSAGE_ID,
    "content": "I practised a",
    "model": _MODEL,
    "last_seq": 3,
}

PROMPT: dict[str, Any] = {
    "turn_id": _TURN_ID,
    "conversation_id": _CONVERSATION_ID,
    "made_at": "2025-11-25T19:46:40Z",
    "model": _MODEL,
    "window_tokens": 131072,
    "tokens": 2143,
    "shared_tokens": 1802,
    "parts": [
        {
            "source": "core",
            "key": "system_prompt",
            "slot": "system",
            "role": "system",
            "stability": "conversation",
            "tokens": 41,
            "included": True,
            "why": {},
        }
    ],
    "history_messages": 12,
    "left_out_messages": 0,
    "failures": {},
}

WINDOW: dict[str, Any] = {
    "conversation_id": _CONVERSATION_ID,
    "model": _MODEL,
    "window_tokens": 8192,
    "reply_tokens": 2048,
    "reserved_tokens": 1475,
    "prompt_tokens": 4630,
    "history_tokens": 4214,
    "history_messages": 61,
    "free_tokens": 415,
    "begins_with": _USER_MESSAGE_ID,
    "is_cut": True,
    "left_out_messages": 120,
}

NEW_CONVERSATION: dict[str, Any] = {
    "id": _CONVERSATION_ID,
    "created_at": "2025-11-25T19:46:40Z",
    "user_id": None,
    "character_id": "0199a1ee-7d10-7c4b-8a21-5b6c7d8e9f01",
    "messages": [
        {
            "id": _MESSAGE_ID,
            "role": "assistant",
            "content": "Hi! I am Mika.",
            "timestamp": "2025-11-25T19:46:40Z",
            "origin": "greeting",
        },
    ],
    "updated_at": "2025-11-25T19:46:40Z",
}

CONVERSATION: dict[str, Any] = {
    "id": _CONVERSATION_ID,
    "created_at": "2025-11-25T19:46:40Z",
    "user_id": None,
    "character_id": None,
    "messages": [
        {
            "role": "user",
            "content": "Hello! What did you do today?",
            "id": _USER_MESSAGE_ID,
            "timestamp": "2025-11-25T19:46:40Z",
            "turn_id": _TURN_ID,
        },
        {
            "id": _MESSAGE_ID,
            "role": "assistant",
            "content": "I practised a new song!",
            "timestamp": "2025-11-25T19:46:41Z",
            "model": _MODEL,
            "finish_reason": "stop",
            "usage": {"input_tokens": 31, "output_tokens": 6, "cost": 0.0000198},
            "turn_id": _TURN_ID,
        },
    ],
    "updated_at": "2025-11-25T19:46:41Z",
}

CONVERSATION_LIST: dict[str, Any] = {
    "data": [
        {
            "id": _CONVERSATION_ID,
            "user_id": None,
            "character_id": None,
            "created_at": "2025-11-25T19:46:40Z",
            "updated_at": "2025-11-25T19:46:41Z",
            "message_count": 2,
            "status": "ok",
        }
    ],
    "has_more": False,
    "next": None,
}

SEARCH: dict[str, Any] = {
    "data": [
        {
            "conversation_id": _CONVERSATION_ID,
            "user_id": None,
            "character_id": None,
            "message_id": _MESSAGE_ID,
            "position": 1,
            "role": "assistant",
            "timestamp": "2025-11-25T19:46:41Z",
            "snippet": "I practised a new song!",
            "matches": [[18, 22]],
        }
    ],
    "next": None,
}

HEALTH: dict[str, Any] = {
    "status": "ok",
    "version": "0.1.0",
    "storage": {"name": "local", "status": "ok"},
    "llm": {"name": "openrouter", "status": "ok"},
    "mirror": {"pending": 0, "lag_s": 0.0},
    "background": {"status": "ok"},
}

MODELS: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": _MODEL,
            "object": "model",
            "created": 0,
            "owned_by": "openrouter",
            "name": "OpenAI: GPT-5 Mini",
            "context_length": 400_000,
            "max_output_tokens": 128_000,
        }
    ],
    "default": _MODEL,
}

USAGE: dict[str, Any] = {
    "since": "2026-10-31",
    "until": "2026-11-29",
    "data": [
        {
            "day": "2026-11-28",
            "calls": 42,
            "cancelled": 2,
            "estimated": 2,
            "input_tokens": 61_240,
            "output_tokens": 5_120,
            "cost": 0.0312,
        }
    ],
}
