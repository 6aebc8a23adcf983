"""Which conversation a resent history belongs to, and where in its tree it ends."""
