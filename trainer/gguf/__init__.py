"""From a base and its adapter to a quantised GGUF that computes the same."""
