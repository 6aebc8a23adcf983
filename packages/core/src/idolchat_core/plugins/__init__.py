"""Hooks, registries, and the loader that finds plugins by their entry points."""
