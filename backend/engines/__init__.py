"""Models that write: a chat endpoint, or the nearest solved ticket."""
