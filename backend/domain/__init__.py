"""Pure values and rules. Standard library only; shared with the trainer."""
