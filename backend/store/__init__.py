"""Everything the product remembers, in one SQLite file through sqlite-utils."""
