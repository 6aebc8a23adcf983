"""The contract of storages, the document they keep, and what any storage can do by reading."""
