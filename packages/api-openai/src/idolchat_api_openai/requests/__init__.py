"""What clients send: bodies of OpenAI's API, and headers of front ends."""
