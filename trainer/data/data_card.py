"""What a set of examples holds: `data_card.json` for machines, `data_card.md` for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.data.splits import Splits

DATA_CARD = "data_card.json"
COUNTED_BY = "estimate: one token for three bytes of UTF-8, as serving counts without a tokenizer"
RULE = (
    "Rows of one customer are in one split. There is one moment: nothing in train or validation is "
    "newer, nothing in golden is older. Customers who wrote on both sides of it lose the rows of "
    "one side. Validation: customers drawn by seed. Near duplicates are never in two splits."
)
_LENGTHS = ("question", "answer", "passages")


def data_card(
    tallies: Iterable[Mapping[str, Any]],
    facts: Mapping[str, Any],
    dropped: Counter[str],
    splits: Splits,
) -> dict[str, Any]:
    """The card of the examples that were tallied; `facts` stand at its end."""
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("splits", "kinds", "languages", "hits", "placeholders")
    }
    hits_in: dict[str, Counter[str]] = {}
    lengths: dict[str, Counter[int]] = {name: Counter() for name in _LENGTHS}
    unknown = 0
    for tally in tallies:
        counts["splits"][tally["split"]] += 1
        counts["kinds"][tally["kind"]] += 1
        counts["languages"][tally["language"]] += 1
        counts["placeholders"].update(tally["placeholders"])
        hits_in.setdefault(tally["kind"], Counter()).update(tally["hits"])
        for name in _LENGTHS:
            lengths[name][tally[name]] += 1
        unknown += tally["unknown"]
    return {
        "examples": counts["splits"].total(),
        "splits": _sorted(counts["splits"]),
        "kinds": _sorted(counts["kinds"]),
        "languages": _sorted(counts["languages"]),
        "with_passages": lengths["passages"].total() - lengths["passages"][0],
        "split_rule": RULE,
        "customers_known": splits.customers,
        "rows_of_one_customer_at_most": splits.customer_cap,
        "near_duplicates": {
            "groups": splits.duplicate_groups,
            "beyond_the_first": splits.duplicates,
        },
        "dropped": _sorted(+dropped),
        "tokens": {"counted_by": COUNTED_BY}
        | {name: _spread(found) for name, found in lengths.items()},
        "placeholders": _sorted(counts["placeholders"]),
        "answers_with_placeholders_not_in_their_prompt": unknown,
        "personal_data_found_in_result": {
            kind: _sorted(found) for kind, found in sorted(hits_in.items())
        },
        **facts,
    }


def write_card(card: Mapping[str, Any], path: Path) -> None:
    """Writes the card as JSON, and beside it as a page to read."""
    path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text("\n".join(_page(card)) + "\n", encoding="utf-8")


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _spread(counts: Counter[int]) -> dict[str, int]:
    """Half, nineteen of twenty and all are at most so long."""
    total = counts.total()
    found = {}
    for name, share in (("median", 0.5), ("p95", 0.95), ("longest", 1.0)):
        seen = 0
        for length in sorted(counts):
            seen += counts[length]
            if seen >= share * total:
                found[name] = length
                break
    return found


def _page(card: Mapping[str, Any]) -> Iterator[str]:
    read = f"{card['rows_read']:,} tickets and rated replies were read"
    yield f"# Data card\n\n{card['examples']:,} examples, sections of articles included; {read}."
    yield f"\n{card['split_rule']}\n"
    for title, name in (("Split", "splits"), ("Kind", "kinds"), ("Language", "languages")):
        yield from _table((title, "examples"), card[name].items())
    yield from _table(("Left out because", "rows"), card["dropped"].items())
    groups = card["near_duplicates"]
    yield (
        f"Near duplicates: {groups['groups']:,} groups, {groups['beyond_the_first']:,} tickets "
        "beyond the best of each.\n"
    )
    yield f"{_customers(card)}\n"
    tokens = dict(card["tokens"])
    yield f"## Lengths in tokens\n\nCounted by {tokens.pop('counted_by')}.\n"
    columns = ("median", "p95", "longest")
    rows = (
        (name, *(spread.get(column, 0) for column in columns)) for name, spread in tokens.items()
    )
    yield from _table(("Of", *columns), rows)
    yield "## Personal data\n"
    yield from _table(("Replaced by", "placeholders"), card["placeholders"].items())
    yield (
        f"Answers with a placeholder that their prompt does not have: "
        f"{card['answers_with_placeholders_not_in_their_prompt']:,}.\n"
    )
    yield "What the detector still finds in the result; articles are public and keep theirs:\n"
    found = (
        (f"{kind}: {label}", count)
        for kind, hits in card["personal_data_found_in_result"].items()
        for label, count in hits.items()
    )
    yield from _table(("In", "finds"), found)
    yield "## Made of\n"
    yield from _table(("File", "SHA-256"), card["sources"].items())
    yield f"Result: `{card['sha256']}`, prompt format {card['prompt_format']}.\n"
    yield from _table(("Choice", "value"), card["choices"].items())


def _customers(card: Mapping[str, Any]) -> str:
    if not card["customers_known"]:
        return "No row tells its customer, so each counts as a customer of its own."
    cap = card["rows_of_one_customer_at_most"]
    most = "without a limit: there are too few of them" if cap is None else f"at most {cap}"
    return f"Customers known: {card['customers_known']:,}. Rows of one in training: {most}."


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    if lines:
        yield f"| {' | '.join(head)} |\n|{' --- |' * len(head)}"
        yield "\n".join(lines) + "\n"
