"""The index of memory, beside the conversations that it is derived from."""
