"""
The schema that Shopify publishes, to compare ours with: `python -m tests.shopify_schema` fetches it, `official()` reads it.

Shopify ships the introspection of each Admin API version in the npm package of its own tools. Of that package one file is kept, under
.venv, and nothing of it stands in this repository.
"""

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, build_client_schema

PACKAGE = "@shopify/dev-mcp@1.16.0"
SHA512 = "tqgRnK7sQhjew+htxtleTH23nXB5fZcsrhWgEkomsorGXvLOB2mh2upwZm8uzuTDNTZnqtLMe64yIwh6s2awtw=="
VERSION = "2026-10"
MEMBER = f"package/dist/data/admin_{VERSION}.json.gz"
HOME = Path(__file__).resolve().parents[1] / ".venv" / "shopify"
FILE = HOME / f"admin_{VERSION}_{SHA512[:8].replace('/', '_')}.json.gz"
MISSING = "Shopify's schema is not there: `make schema` fetches it with npm"


def fetch() -> None:
    """Get the package by npm, compare its digest, keep the one file. Nothing is fetched where it is there."""
    if FILE.exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("Shopify's schema comes in an npm package: apt-get install npm, and repeat.")
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        words = [npm, "pack", "--silent", "--prefer-offline", "--ignore-scripts", "--pack-destination", directory, PACKAGE]
        if subprocess.run(words, check=False, cwd=directory, stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit(f"npm could not fetch {PACKAGE}.")
        (packed,) = Path(directory).glob("*.tgz")
        if base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode() != SHA512:
            sys.exit(f"{PACKAGE} is not the package that it was: its digest differs.")
        with tarfile.open(packed) as archive:
            member = archive.extractfile(MEMBER)
            assert member is not None
            fresh = Path(directory) / "schema"
            fresh.write_bytes(member.read())
        shutil.copyfile(fresh, FILE)


@cache
def official() -> GraphQLSchema:
    """The Admin API as Shopify publishes it. Raises FileNotFoundError where it was not fetched."""
    if not FILE.exists():
        raise FileNotFoundError(MISSING)
    content = json.loads(gzip.decompress(FILE.read_bytes()))
    return build_client_schema(content.get("data", content))


if __name__ == "__main__":
    fetch()
