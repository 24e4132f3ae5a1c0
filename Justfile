# `just` lists the recipes (pip install rust-just brings it). Each is a command that works without it.

_default:
    @just --list

# Every check
check:
    ./scripts/test

# Tests, with arguments for pytest: just test -k rating
test *arguments:
    ./scripts/test python {{ arguments }}

# Put right what ruff can
fix:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# The product on the demo help desk
serve *arguments:
    ./scripts/run {{ arguments }}

# Both zips for Zoho: just pack --backend https://suggest.example.org
pack *arguments:
    ./scripts/pack_extension {{ arguments }}
