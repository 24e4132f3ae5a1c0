"""The tuning half: prepare, train, merge, export."""

import logging

# It advises to install `kernels`, which would then fetch code from the hub at import.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
