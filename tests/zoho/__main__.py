"""`python -m tests.zoho`: a local Zoho with support texts in it, as a process of its own."""

from __future__ import annotations

import argparse

from tests.zoho.portal import Portal
from tests.zoho.serving import serve


def main() -> None:
    """Serves the portal that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tickets", type=int, default=60)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    serve(Portal(tickets=asked.tickets, cases=asked.cases, seed=asked.seed), port=asked.port)


if __name__ == "__main__":
    main()
