"""
The fault kit: `python -m tests.chaos [--tenth] [--seed N] [ids or names …]`, or `make chaos`.

Each case is a process of its own; two run at a time, and those whose figure is a timing alone. At the end one table, also in
`var/chaos.json`; the exit code is 1 unless every row is green.
"""

import argparse
import secrets
import sys
from pathlib import Path

from tests.chaos.cases import CASES
from tests.chaos.report import print_table, write_json
from tests.chaos.runner import REPORT, run_all, run_one
from tests.chaos.size import FULL, TENTH, Size


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Break things on purpose, and see what holds.")
    parser.add_argument("wanted", nargs="*", help="ids or names of cases; all without")
    parser.add_argument("--tenth", action="store_true", help="a tenth of the counts and durations")
    parser.add_argument("--share", type=float, default=0.0, help="any other share of them")
    parser.add_argument("--seed", type=int, default=0, help="0 draws one")
    parser.add_argument("--one", help="run this case in this process")
    parser.add_argument("--out", type=Path, help="with --one: where its rows go")
    parser.add_argument("--list", action="store_true", help="say which cases there are")
    given = parser.parse_args()
    size = Size(given.share) if given.share else TENTH if given.tenth else FULL
    seed = given.seed or secrets.randbelow(1_000_000_000) + 1
    if given.one:
        return run_one(next(case for case in CASES if case.name == given.one), size, seed, given.out)
    cases = [case for case in CASES if not given.wanted or {case.name, *case.ids} & set(given.wanted)]
    unknown = set(given.wanted) - {name for case in cases for name in (case.name, *case.ids)}
    if unknown:
        print(f"no such case: {', '.join(sorted(unknown))}; there are:")
    if given.list or unknown or not cases:
        for case in CASES:
            print(f"{case.name:<24}{' '.join(case.ids)}{'  (alone)' if case.alone else ''}")
        return 0 if given.list else 2
    print(f"{len(cases)} cases at {size.share:g} of their size, seed {seed}", flush=True)
    rows = run_all(cases, size, seed)
    print_table(rows)
    write_json(rows, REPORT)
    return 0 if rows and all(row.is_green for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
