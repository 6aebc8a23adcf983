"""Facts: notes that a model draws from what users said, each with the words that say so."""
