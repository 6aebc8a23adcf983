"""Contracts, turn engine and plugin system of idolchat."""
