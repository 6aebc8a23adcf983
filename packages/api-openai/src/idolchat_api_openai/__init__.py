"""OpenAI's API on top of idolchat: durable conversations for front ends that know nothing of them."""
