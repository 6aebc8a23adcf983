"""What to enter in each client."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import indent

__all__ = ["GUIDES", "ManyUsers", "Place"]

ManyUsers = frozenset({"open-webui", "librechat"})
"""Clients that speak for their users, each with a conversation of their own."""

_PICK = "{{pick::0::1::2::3::4::5::6::7::8::9::a::b::c::d::e::f}}"
_CHAT_ID = _PICK * 16
"""SillyTavern picks the same for a chat and all of its branches, whenever it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server's address with ``/v1``, a key for it, and a character there."""

    base_url: str
    key: str
    model: str


def _sillytavern(place: Place) -> str:
    headers = f'X-Idolchat-Generation: "{{{{lastGenerationType}}}}"\nX-Idolchat-Conversation: "{_CHAT_ID}"'
    return f"""\
SillyTavern

1. API Connections (the plug): API "Chat Completion", source "Custom (OpenAI-compatible)".
     Custom Endpoint (Base URL)   {place.base_url}
     Custom API Key               {place.key}
     Available Models             {place.model}, after "Connect"
2. There, "Additional Parameters", "Include Request Headers". They tell which chat it is and what you did:

{indent(headers, "     ")}

   Without them a chat is recognised by what was said in it.
3. The character is the server's: leave SillyTavern's own card as short as you like. {place.model}+system keeps
   SillyTavern's instructions beside the server's."""


def _open_webui(place: Place) -> str:
    headers = {
        "X-Idolchat-Conversation": "{{CHAT_ID}}",
        "X-Idolchat-Message": "{{MESSAGE_ID}}",
        "X-Idolchat-User-Message": "{{USER_MESSAGE_ID}}",
        "X-Idolchat-Parent": "{{USER_MESSAGE_PARENT_ID}}",
        "X-Idolchat-Task": "{{TASK}}",
        "X-Idolchat-User": "{{USER_ID}}",
        "X-Idolchat-Issuer": "open-webui",
    }
    return f"""\
Open WebUI

1. Admin Panel, Settings, Connections, OpenAI API, "+":
     URL       {place.base_url}
     Key       {place.key}
     Headers   as below; they tell which chat and which user it is, and what is a title or a tag
{indent(json.dumps(headers, indent=2), "     ")}
2. Models: {place.model} and the other characters are in the list of models.

To have users proved rather than named, set the same secret of 32 characters or more in both:
     Open WebUI   ENABLE_FORWARD_USER_INFO_HEADERS=true  FORWARD_USER_INFO_HEADER_JWT_SECRET=<secret>
     idolchat     IDOLCHAT_V1_USER_JWT_SECRET=<secret>"""


def _librechat(place: Place) -> str:
    return f"""\
LibreChat, in librechat.yaml

endpoints:
  custom:
    - name: "idolchat"
      apiKey: "{place.key}"
      baseURL: "{place.base_url}"
      models:
        default: ["{place.model}"]
        fetch: true
      titleConvo: true
      titleModel: "current_model"
      modelDisplayLabel: "idolchat"
      headers:
        X-LibreChat-User-Id: "{{{{LIBRECHAT_USER_ID}}}}"
        X-Idolchat-Conversation: "{{{{LIBRECHAT_BODY_CONVERSATIONID}}}}\""""


def _risuai(place: Place) -> str:
    return f"""\
RisuAI

Settings, Chat Bot, Model "Custom API":
     URL             {place.base_url}/chat/completions
     Key / Password  {place.key}
     Request Model   {place.model}
     Format          OpenAI Compatible

Chats are recognised by what was said in them."""


def _openai(place: Place) -> str:
    return f"""\
OpenAI's SDK for Python

from openai import OpenAI

client = OpenAI(base_url="{place.base_url}", api_key="{place.key}")
reply = client.chat.completions.create(
    model="{place.model}",
    messages=[{{"role": "user", "content": "Hello!"}}],
    metadata={{"conversation_id": "my-first"}},  # then only what is new need be sent
)
print(reply.choices[0].message.content)

and for JavaScript

import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{place.base_url}", apiKey: "{place.key}" }});
const response = await client.responses.create({{ model: "{place.model}", input: "Hello!" }});
console.log(response.output_text);"""


def _ai_sdk(place: Place) -> str:
    return f"""\
Vercel's AI SDK

import {{ createOpenAI }} from "@ai-sdk/openai";
import {{ generateText }} from "ai";

const idolchat = createOpenAI({{ baseURL: "{place.base_url}", apiKey: "{place.key}" }});
const {{ text }} = await generateText({{ model: idolchat("{place.model}"), prompt: "Hello!" }});"""


def _langchain(place: Place) -> str:
    return f"""\
LangChain for JavaScript

import {{ ChatOpenAI }} from "@langchain/openai";

const model = new ChatOpenAI({{
  model: "{place.model}",
  apiKey: "{place.key}",
  configuration: {{
    baseURL: "{place.base_url}",
    defaultHeaders: {{ "X-Idolchat-Conversation": "my-first" }},
  }},
}});
const reply = await model.invoke("Hello!");"""


GUIDES: Mapping[str, Callable[[Place], str]] = {
    "sillytavern": _sillytavern,
    "open-webui": _open_webui,
    "librechat": _librechat,
    "risuai": _risuai,
    "openai": _openai,
    "ai-sdk": _ai_sdk,
    "langchain": _langchain,
}
