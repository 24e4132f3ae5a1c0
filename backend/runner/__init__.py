"""One GGUF behind an OpenAI-compatible HTTP interface on loopback; it alone owns llama.cpp."""
