"""Lets idolchat talk to OpenRouter and any OpenAI-compatible server."""
