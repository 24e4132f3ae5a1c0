"""`python -m trainer`."""

import sys

from trainer.cli import main

try:
    code = main()
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing in ("", "trainer", "backend"):
        raise
    sys.stderr.write(
        f"The package {missing} is missing. Install what the trainer needs (without a GPU torch's "
        "small CPU build first):\n"
        "  pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu\n"
        "  pip install -r trainer/requirements.txt\n"
    )
    code = 2
raise SystemExit(code)
