"""Turns in the form of OpenAI's chat completions."""
