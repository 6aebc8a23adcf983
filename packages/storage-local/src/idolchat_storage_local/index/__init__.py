"""The SQLite index beside the files: lists and search, derived from them and rebuilt at any time."""
