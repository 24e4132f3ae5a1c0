"""Memory of each process of the demo product, idle and busy, and tokens for each suggestion.

RSS counts pages that processes share (code, the mapped model file); PSS shares them out, so PSS
adds up. Busy: the highest of samples taken while suggestions are written.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.product import Product, running

MODULES = {"web": "backend.app", "worker": "backend.worker", "runner": "backend.runner"}
Sizes = dict[str, tuple[float, float]]


def main() -> None:
    """Measures and prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=12)
    clicks = parser.parse_args().clicks
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "--demo") as product:
        tickets = product.client.get("/demo/tickets").json()["tickets"]
        time.sleep(2)
        idle = _sizes(product)
        asked = [product.suggest(one["question"])["id"] for one in tickets[:clicks]]
        busy = _highest(product, asked)
        _print_sizes(idle, busy)
        _print_tokens(product)


def _highest(product: Product, asked: list[str]) -> Sizes:
    highest: Sizes = {}
    while any(_unfinished(product, one) for one in asked):
        for name, (rss, pss) in _sizes(product).items():
            known = highest.get(name, (0.0, 0.0))
            highest[name] = (max(known[0], rss), max(known[1], pss))
        time.sleep(0.05)
    return highest


def _unfinished(product: Product, suggestion_id: str) -> bool:
    state = product.client.get(f"/suggestions/{suggestion_id}").json()["state"]
    return state in ("queued", "writing")


def _sizes(product: Product) -> Sizes:
    """RSS and PSS in MB by process, in a fixed order."""
    pids = {"supervisor": [product.process.pid]}
    pids |= {name: product.children(module) for name, module in MODULES.items()}
    sizes = {}
    for name, found in pids.items():
        for place, pid in enumerate(found):
            label = name if len(found) == 1 else f"{name} {place + 1}"
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            fields = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
            rss, pss = (int(fields[field].split()[0]) / 1024 for field in ("Rss", "Pss"))
            sizes[label] = (rss, pss)
    return sizes


def _print_sizes(idle: Mapping[str, tuple[float, float]], busy: Sizes) -> None:
    print(f"{'MB':12}{'idle RSS':>10}{'idle PSS':>10}{'busy RSS':>10}{'busy PSS':>10}")
    for name, (rss, pss) in idle.items():
        more = busy.get(name, (rss, pss))
        print(f"{name:12}{rss:10.0f}{pss:10.0f}{more[0]:10.0f}{more[1]:10.0f}")
    totals = [
        sum(one[place] for one in sizes.values()) for sizes in (idle, busy) for place in (0, 1)
    ]
    print(f"{'all':12}" + "".join(f"{total:10.0f}" for total in totals))


def _print_tokens(product: Product) -> None:
    print(f"\n{'per candidate':14}{'read':>8}{'reused':>8}{'written':>9}{'seconds':>9}")
    for row in product.db.query(
        """SELECT model, avg(prompt_tokens) AS read, avg(cached_tokens) AS reused,
               avg(completion_tokens) AS written,
               avg(julianday(finished) - julianday(claimed)) * 86400 AS seconds
           FROM candidates WHERE state = 'done' GROUP BY model ORDER BY model"""
    ):
        cells = [row[name] for name in ("read", "reused", "written", "seconds")]
        shown = ["-" if cell is None else f"{cell:.1f}" for cell in cells]
        print(f"{row['model']:14}{shown[0]:>8}{shown[1]:>8}{shown[2]:>9}{shown[3]:>9}")


if __name__ == "__main__":
    main()
