"""Branches, migration, orphans and a user's data: what is done with whole conversations."""
