"""The page of an idolchat server."""
