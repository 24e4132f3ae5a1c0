"""From raw records to `examples.jsonl` and its data card."""
