"""The contract of model providers, and what is known of their models."""
