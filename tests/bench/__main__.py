"""
`python -m tests.bench [door] [apply] [flow] [pages] [sync]`: interleaved rounds, a table for each, and the ratios that must hold.

Absolute figures depend on the machine, ratios of interleaved rounds much less. All figures go to var/bench.json. Ends with 1
if a bound is missed, and with 2 if another benchmark is running.
"""

import argparse
import signal
import sys
from collections.abc import Callable

from tests.bench import apply, door, flow, pages, sync
from tests.bench.ground import ROOT, Busy, Ground, open_ground
from tests.bench.report import Findings, write

BENCHES: dict[str, Callable[[Ground, int | None], Findings]] = {
    "door": door.measure,
    "apply": apply.measure,
    "flow": flow.measure,
    "pages": pages.measure,
    "sync": sync.measure,
}


def main(arguments: list[str]) -> int:
    """Run what is asked for, by default everything; 0 if all bounds hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"of {', '.join(BENCHES)}; all unless said")
    parser.add_argument(
        "--rounds",
        type=int,
        help="how many of each; five of the door, three of the worker's, 60 of the pages, two of the sync unless said",
    )
    options = parser.parse_args(arguments)
    unknown = set(options.benches) - set(BENCHES)
    if unknown or (options.rounds is not None and options.rounds < 1):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}" if unknown else "at least one round")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all processes are ended on the way out
    found: list[Findings] = []
    try:
        with open_ground() as ground:
            for name in options.benches or BENCHES:
                found.append(BENCHES[name](ground, options.rounds))
                found[-1].tell()
                write(ROOT / "var" / "bench.json", found)
    except Busy as reason:
        print(reason)
        return 2
    missed = [check.text for findings in found for check in findings.checks if not check.holds]
    print(f"\n{len(missed)} missed" if missed else "\nall hold")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
