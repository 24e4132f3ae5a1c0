"""The tuning half: prepare, train, merge, export."""
