"""The rules of ``TurnStoreConformance``, by what they are about."""
