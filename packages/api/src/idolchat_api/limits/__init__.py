"""Limits per caller and per address."""
