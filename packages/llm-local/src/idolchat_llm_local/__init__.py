"""Runs a GGUF model inside the idolchat process, so that no key is needed."""
