"""What the server tells those who watch it: metrics and traces, without a word of what was said."""
