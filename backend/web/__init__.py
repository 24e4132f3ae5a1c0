"""HTTP and JSON only: routes, payloads, keys, errors. No model code."""
