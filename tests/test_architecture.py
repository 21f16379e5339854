"""The shape of the code: sizes, names, imports, words, paths. What import-linter and ruff cannot say is said here."""

import ast
import fnmatch
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("connector", "integrations", "webhooks", "sync")
TOP_LEVEL = {
    *PACKAGES,
    *("tests", ".ci", ".gitignore", "alembic.ini", "LICENSE", "Makefile", "Procfile", "pyproject.toml"),
    *("README.md", "requirements.lock", "shopify.app.toml", "shopify.app.standalone.toml"),
}
THIS = "tests/test_architecture.py"
GENERATED = "connector/store/migrations/versions/"
LONGEST_FILE, LONGEST_FUNCTION = 400, 50
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
SYSTEM_PATH = re.compile(
    r"(?<![\w.}*>-])/(?:bin|boot|dev|etc|home|lib|lib64|mnt|opt|proc|root|run|sbin|srv|sys|tmp|usr|var|work)(?![\w-])[\w/.-]*"
)
# What the bundled database and its test need of the machine: a shell, room on disk that every account can
# reach, processes; and what a hostile template asks for.
ALLOWED_PATHS = {
    "connector/store/embedded_home.py": {"/bin/sh", "/var/tmp", "/usr/lib/postgresql", "/usr/local/bin", "/usr/bin", "/bin"},
    "tests/flows/test_processes.py": {"/var/tmp"},
    "connector/store/embedded.py": {"/proc/", "/dev/null"},
    "tests/store/test_embedded.py": {"/proc/"},
    "tests/bench/sync_ground.py": {"/proc/"},
    "tests/sync/test_readers.py": {"/proc/"},
    "tests/chaos/roles.py": {"/proc/"},
    "tests/messages/test_templates.py": {"/etc/passwd"},
}
# Each deletes only what the same process made with mkdtemp.
ALLOWED_DELETIONS = {"connector/store/embedded_home.py": 2, "tests/store/test_embedded.py": 1}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text)

    @property
    def is_ours(self) -> bool:
        """True for the program itself, False for its tests."""
        return self.path.startswith(PACKAGES)

    @property
    def is_cli(self) -> bool:
        """True for the command line."""
        return self.path.startswith("connector/cli/")


Rule = Callable[[Source], Iterator[str]]


def long_files(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if lines > LONGEST_FILE and not source.path.startswith(GENERATED):
        yield f"{lines} lines"


def long_functions(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, FUNCTIONS) and not source.path.startswith(GENERATED):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {lines} lines"


def empty_names(source: Source) -> Iterator[str]:
    yield from (
        f"the name {part} says nothing" for part in Path(source.path).with_suffix("").parts if part.removeprefix("test_") in SAYS_NOTHING
    )


def late_imports(source: Source) -> Iterator[str]:
    for function in (
        node for node in ast.walk(source.tree) if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)) and not source.is_cli
    ):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom) or (
                isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
            ):
                yield f"line {node.lineno}: an import inside {getattr(function, 'name', 'a lambda')}"


def environment_readers(source: Source) -> Iterator[str]:
    if not source.is_ours or source.path == "connector/config.py":
        return
    for node in ast.walk(source.tree):
        words = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) and node.module == "os" else set()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            words = {node.attr}
        if isinstance(node, ast.ClassDef):
            words = {ast.unparse(base) for base in node.bases}
        for word in words & {"environ", "environb", "getenv", "putenv", "BaseSettings"}:
            yield f"line {getattr(node, 'lineno', 0)}: {word}, but only connector/config.py reads the environment"


def silent_names(source: Source) -> Iterator[str]:
    """Public modules, classes and functions without a docstring. An `__init__.py` may be empty, and a Protocol speaks for its members."""
    if not source.is_ours or source.path.startswith(GENERATED) or not source.tree.body:
        return
    pending: list[tuple[str, ast.AST]] = [("the module", source.tree)]
    while pending:
        name, node = pending.pop()
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)) and ast.get_docstring(node) is None:
            yield f"line {getattr(node, 'lineno', 1)}: {name} has no docstring"
        if isinstance(node, ast.Module | ast.ClassDef):
            is_protocol = isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)
            inside = [part for part in node.body if isinstance(part, (ast.ClassDef, *FUNCTIONS)) and not is_protocol]
            pending += [(part.name, part) for part in inside if not part.name.startswith("_")]


def prints(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write") and source.is_ours and not source.is_cli:
            yield f"line {node.lineno}: only the command line prints"


def foreign_paths(source: Source) -> Iterator[str]:
    """Absolute paths in strings; docstrings may speak of them, and this file has to."""
    if source.path == THIS:
        return
    spoken = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
            for path in SYSTEM_PATH.findall(node.value):
                if path not in ALLOWED_PATHS.get(source.path, set()):
                    yield f"line {node.lineno}: {path}"


def deletions(source: Source) -> Iterator[str]:
    """Everything that deletes a directory with its contents."""
    found = [
        node
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("rmtree", "removedirs"))
        or (isinstance(node, ast.alias) and node.name in ("rmtree", "removedirs"))
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\brm\s+-\w*[rR]", node.value))
    ]
    if len(found) > ALLOWED_DELETIONS.get(source.path, 0):
        yield f"deletes with all contents in lines {', '.join(str(node.lineno) for node in found)}"


def late_shapes(source: Source) -> Iterator[str]:
    """Types that msgspec meets while threads run; connector/decoding.py says why that must not be."""
    if not source.is_ours or source.path == "connector/decoding.py":
        return
    for function in (node for node in ast.walk(source.tree) if isinstance(node, (*FUNCTIONS, ast.Lambda))):
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or not (called := ast.unparse(node.func)).startswith("msgspec."):
                continue
            is_typed = called.endswith(".decode") and (len(node.args) > 1 or any(word.arg == "type" for word in node.keywords))
            if is_typed or called.endswith((".Decoder", ".convert")):
                yield f"line {node.lineno}: {called} with a type; connector.decoding does that"


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        *(long_files, long_functions, empty_names, late_imports, environment_readers, silent_names, prints, foreign_paths, deletions),
        late_shapes,
    )
}


@cache
def sources() -> list[Source]:
    """Every Python file of ours, parsed once."""
    paths = [path for package in (*PACKAGES, "tests") for path in sorted((ROOT / package).rglob("*.py"))]
    return [Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def top_level() -> set[str]:
    """What lies at the top of the repository, or, where git does not know it, of the directory without what is ignored."""
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "--full-name", "."]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        listed = []
    if any(listed):
        return {name.split("/", 1)[0] for name in listed if name}
    ignored = [".git", *(line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split())]
    return {path.name for path in ROOT.iterdir() if not any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored)}


@pytest.mark.parametrize("name", RULES)
def test_the_whole_tree_keeps_to(name: str) -> None:
    found = [f"{source.path}: {finding}" for source in sources() for finding in RULES[name](source)]
    assert not found, "\n".join(found)


BROKEN = {
    "long_files": ("connector/a.py", '"""A."""\n' + "a = 1\n" * 400),
    "long_functions": ("tests/test_a.py", "class A:\n    async def f(self):\n" + "        pass\n" * 50),
    "empty_names": ("connector/helpers/a.py", ""),
    "late_imports": ("webhooks/a.py", "def f():\n    import json\n"),
    "environment_readers": ("sync/a.py", "import os\nvalue = os.environ['A']\n"),
    "silent_names": ("integrations/a.py", '"""A."""\nclass A:\n    """A."""\n    def f(self): ...\n'),
    "prints": ("connector/web/a.py", "print('x')\n"),
    "foreign_paths": ("tests/test_a.py", f"place = f'{'/' + 'etc'}/{{name}}'\n"),
    "deletions": ("connector/a.py", "import shutil\nshutil.rmtree(where)\n"),
    "late_shapes": ("sync/a.py", "def f(body):\n    return msgspec.json.decode(body, type=A)\n"),
}


@pytest.mark.parametrize("name", RULES)
def test_each_rule_finds_what_breaks_it(name: str) -> None:
    assert len(list(RULES[name](Source(*BROKEN[name])))) == 1


@pytest.mark.parametrize(
    ("name", "path", "text"),
    [
        ("long_files", "connector/a.py", "a = 1\n" * 400),
        ("long_functions", "tests/a.py", "def f():\n" + "    pass\n" * 49),
        ("late_imports", "connector/cli/a.py", "def f():\n    import json\n"),
        ("late_imports", "tests/a.py", "import warnings\nwith warnings.catch_warnings():\n    import json\n"),
        ("silent_names", "sync/__init__.py", ""),
        ("silent_names", "sync/a.py", '"""A."""\nclass A(Protocol):\n    """A."""\n    def f(self): ...\n'),
        ("silent_names", "sync/a.py", '"""A."""\ndef _f(): ...\nclass _A: ...\n'),
        ("prints", "connector/cli/a.py", "print('x')\n"),
        ("foreign_paths", "webhooks/a.py", "'/webhooks/shopify', 'https://example.test/home', 'application/var', '/home-page'\n"),
        ("deletions", "connector/a.py", "path.unlink(), path.rmdir()\n"),
        ("late_shapes", "connector/a.py", "read = msgspec.json.Decoder(A)\ndef f(body):\n    return msgspec.json.decode(body)\n"),
    ],
)
def test_a_rule_lets_pass_what_it_does_not_speak_of(name: str, path: str, text: str) -> None:
    assert list(RULES[name](Source(path, text))) == []


def test_the_allowances_are_all_in_use() -> None:
    everything = {source.path: source for source in sources()}
    for path, allowed in ALLOWED_PATHS.items():
        assert set(SYSTEM_PATH.findall(everything[path].text)) >= allowed
    for path, count in ALLOWED_DELETIONS.items():
        assert everything[path].text.count("rmtree") == count


def test_the_top_level_is_seen_at_a_glance() -> None:
    assert top_level() - TOP_LEVEL == set()
    assert TOP_LEVEL - top_level() <= {"README.md", "shopify.app.toml", "shopify.app.standalone.toml"}


def test_the_lock_file_names_no_place_and_pins_all_it_lists_by_hash() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    pins = re.findall(r"^(\S+)==\S+(.*?)(?=^\S|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert len(pins) > 50
    assert [name for name, rest in pins if "--hash=sha256:" not in rest] == []
    assert all(re.match(r"\S+==|\s|#|$", line) for line in text.splitlines())
