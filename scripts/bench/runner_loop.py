"""The least that llama.cpp can be called with: one sequence, greedy, no server around it.

    python -m scripts.bench.runner_loop MODEL THREADS CONTEXT PROMPT_TOKENS TOKENS

Prints the tokens a second of writing, first token not counted.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import llama_cpp as native

from backend.runner.model import route_native_log


def writing_rate(
    model_path: Path, *, threads: int, context_tokens: int, prompt_tokens: int, tokens: int
) -> float:
    """Tokens a second of a bare `llama_decode` loop behind a prompt of that length."""
    native.llama_backend_init()
    model = native.llama_model_load_from_file(
        str(model_path).encode(), native.llama_model_default_params()
    )
    if not model:
        raise SystemExit(f"llama.cpp cannot load {model_path}.")
    parameters = native.llama_context_default_params()
    parameters.n_ctx = context_tokens
    parameters.n_threads = parameters.n_threads_batch = threads
    context = native.llama_init_from_model(model, parameters)
    if not context:
        raise SystemExit("llama.cpp cannot make a context.")
    sampler = native.llama_sampler_init_greedy()
    prompt = (native.llama_token * prompt_tokens)(*range(400, 400 + prompt_tokens))
    native.llama_decode(context, native.llama_batch_get_one(prompt, prompt_tokens))
    token = (native.llama_token * 1)()
    token[0] = native.llama_sampler_sample(sampler, context, -1)
    begun = time.perf_counter()
    for _ in range(tokens - 1):
        native.llama_decode(context, native.llama_batch_get_one(token, 1))
        token[0] = native.llama_sampler_sample(sampler, context, -1)
    return (tokens - 1) / (time.perf_counter() - begun)


def main() -> None:
    """Measure once and print."""
    model, threads, context_tokens, prompt_tokens, tokens = sys.argv[1:]
    route_native_log(lambda _: None)
    rate = writing_rate(
        Path(model),
        threads=int(threads),
        context_tokens=int(context_tokens),
        prompt_tokens=int(prompt_tokens),
        tokens=int(tokens),
    )
    print(rate)


if __name__ == "__main__":
    main()
