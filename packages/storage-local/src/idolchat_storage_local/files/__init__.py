"""The files of a data folder: documents, logs and records, how they are written and read back."""
