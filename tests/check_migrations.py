"""Build a throw-away database with the migrations and compare it with the tables: `python -m tests.check_migrations`."""

import os
import subprocess
import sys
from pathlib import Path

from connector.store.embedded import start_temporary

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run `alembic upgrade head` and `alembic check`; return the code of the first that fails, else 0."""
    with start_temporary() as postgres:
        environment = {**os.environ, "DATABASE_URL": postgres.url}
        for words in (("upgrade", "head"), ("check",)):
            command = [sys.executable, "-m", "alembic", *words]
            code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
            if code != 0:
                return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
