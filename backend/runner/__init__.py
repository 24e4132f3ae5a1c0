"""One GGUF behind an OpenAI-compatible HTTP interface on loopback; it alone owns llama.cpp.

How long a thread spins before it sleeps is set here, since OpenMP reads it when it is loaded, and
nothing of this package can be imported sooner. By default it spins for a millisecond, some 700
times a token. Alone on a machine that costs nothing; beside two more runners on 2 cores, which is
how three candidates are written, it costs nine tenths of the speed (measured: 2 instead of 20
tokens a second). Spinning a few microseconds is as fast alone.
"""

import os

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
