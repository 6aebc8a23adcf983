"""The commands of ``idol``, one module each, imported when they run."""
