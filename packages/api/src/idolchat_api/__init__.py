"""Serves idolchat over REST, server-sent events and WebSocket."""
