"""The rules of ``StorageConformance``, by what they are about."""
