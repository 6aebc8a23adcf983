"""OpenAI's responses and conversations, as far as clients use them."""
