"""Fine-tuning: prepare, train, merge, export, evaluate, push."""

import logging

# It advises to install `kernels`, which would then fetch code from the hub at import.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
# Rows longer than a model can read are left out and counted: no need to warn of "indexing errors".
logging.getLogger("transformers.tokenization_utils_base").addFilter(
    lambda record: "indexing errors" not in record.getMessage()
)
