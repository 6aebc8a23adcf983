"""What clients send: bodies of OpenAI's API, and what front ends tell in headers."""
