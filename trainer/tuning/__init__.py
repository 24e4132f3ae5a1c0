"""QLoRA fine-tuning: from examples to an adapter."""
