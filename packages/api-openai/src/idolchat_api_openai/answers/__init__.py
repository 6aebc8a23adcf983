"""Turns as OpenAI's chat completions tell them."""
