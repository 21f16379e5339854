"""
Everything that must hold before a change is in: `python -m tests.gate`, or names of steps to run only those.

All steps run although one fails, so that one run shows everything; each line tells the time it took.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PATHS = ("connector", "integrations", "webhooks", "sync", "tests")
PURE = "integrations/*/signature.py,integrations/*/mapping.py,integrations/*/carts.py,connector/rules/*"
CASES = "tests/chaos/test_cases.py"
STEPS: dict[str, tuple[str, ...]] = {
    "format": ("ruff", "format", "--check", *PATHS),
    "lint": ("ruff", "check", "--quiet", *PATHS),
    "types": ("mypy",),
    "contracts": ("lint-imports",),
    "migrations": ("python", "-m", "tests.check_migrations"),
    "tests": ("pytest", "-q", "-n", "3", "--dist", "worksteal", "--cov", "--cov-branch", "--cov-report=", f"--ignore={CASES}"),
    "chaos": ("pytest", "-q", "-n", "3", "--dist", "load", CASES),
    "coverage": ("coverage", "report", "--fail-under=95"),
    "pure coverage": ("coverage", "report", "--fail-under=100", f"--include={PURE}"),
}


def main(wanted: list[str]) -> int:
    """Run the steps and return 1 if one failed, else 0."""
    unknown = [name for name in wanted if name not in STEPS]
    if unknown:
        print(f"no such step: {', '.join(unknown)}; there are: {', '.join(STEPS)}")
        return 2
    failed: list[str] = []
    lines: list[str] = []
    for name in wanted or STEPS:
        program, *arguments = STEPS[name]
        print(f"── {name}: {' '.join(STEPS[name])}", flush=True)
        began = time.perf_counter()
        code = subprocess.run([BIN / program, *arguments], cwd=ROOT, check=False).returncode
        lines.append(f"{'ok' if code == 0 else 'FAILED':<7}{name:<14}{time.perf_counter() - began:6.1f} s")
        if code != 0:
            failed.append(name)
    print("\n".join(["", *lines]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
