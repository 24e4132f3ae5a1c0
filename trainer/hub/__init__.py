"""Private repositories on the Hugging Face hub: finished models and checkpoints."""
