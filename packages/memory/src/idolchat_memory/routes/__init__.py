"""Routes under ``/memory``."""
