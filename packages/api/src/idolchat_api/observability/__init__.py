"""Metrics and traces, without a word of what was said."""
