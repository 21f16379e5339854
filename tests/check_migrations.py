"""Build a throw-away database with the migrations and compare it with the tables: `python -m tests.check_migrations`."""

import subprocess
import sys
from pathlib import Path

from connector.store.embedded import start_temporary

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run `alembic upgrade head` and `alembic check`; return the code of the first that fails, else 0."""
    with start_temporary() as postgres:
        for words in (("upgrade", "head"), ("check",)):
            command = [sys.executable, "-m", "alembic", "-x", f"url={postgres.url}", *words]
            code = subprocess.run(command, cwd=ROOT, check=False).returncode
            if code != 0:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
