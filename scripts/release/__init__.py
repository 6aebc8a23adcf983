"""Whether a package may be released: version, changelog, ranges, lock files and what is built agree."""
