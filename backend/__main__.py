"""`python -m backend` is `suggest-answer`."""

from backend.cli import main

if __name__ == "__main__":
    main()
