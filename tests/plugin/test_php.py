"""
The plugin's own tests, in PHP: run once by PHPUnit, told as one test here for each test there.

Names and `@group` marks are read from the sources, so that the tests are known without PHP; what PHPUnit itself lists must agree.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).resolve().parent
PLUGIN = HERE.parents[1] / "integrations" / "woocommerce" / "plugin"
PHP_FILES = sorted([*PLUGIN.rglob("*.php"), *HERE.rglob("*.php")])
METHOD = re.compile(r"(?:/\*\*(?P<doc>(?:(?!\*/).)*)\*/\s*)?public function (?P<name>test_\w+)\(", re.DOTALL)
GROUP = re.compile(r"@group\s+(\S+)")
MINUTES = 2


@dataclass(frozen=True)
class PhpTest:
    """One test method: its class, its name and the rows of the specification that it proves."""

    group: str
    name: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """What PHPUnit said: every method's cases with what went wrong, and what it lists with which groups."""

    cases: dict[tuple[str, str], list[str]]
    listed: dict[tuple[str, str], set[str]]
    said: str


def read_tests(source: str, group: str) -> Iterator[PhpTest]:
    """The test methods in a PHP file's text."""
    for found in METHOD.finditer(source):
        yield PhpTest(group, found["name"], tuple(GROUP.findall(found["doc"] or "")))


TESTS = [test for file in sorted(HERE.glob("*Test.php")) for test in read_tests(file.read_text(encoding="utf-8"), file.stem)]


def needed(program: str) -> str:
    """Where a program is. Without it the tests fail under CI and are skipped elsewhere."""
    found = shutil.which(program)
    if found is None:
        reason = f"no {program} on this machine: `make test` installs it (apt-get install php-cli phpunit)"
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def called(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in this folder."""
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=MINUTES * 60, check=False)


@pytest.fixture(scope="session")
def php() -> str:
    """PHP."""
    return needed("php")


@pytest.fixture(scope="session")
def run(php: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of all PHP tests, and PHPUnit's list of them."""
    phpunit = needed("phpunit")
    log, listing = tmp_path_factory.mktemp("phpunit") / "log.xml", tmp_path_factory.mktemp("phpunit") / "list.xml"
    ended = called(phpunit, "-c", "phpunit.xml", "--log-junit", str(log))
    called(phpunit, "-c", "phpunit.xml", "--list-tests-xml", str(listing))
    said = ended.stdout + ended.stderr
    if not log.exists() or not listing.exists():
        pytest.fail(f"PHPUnit gave no account of its run:\n{said}")
    return Run(cases_of(log), listed_in(listing), said)


def cases_of(log: Path) -> dict[tuple[str, str], list[str]]:
    """What went wrong in each case of each method; "" for a case that passed."""
    cases: dict[tuple[str, str], list[str]] = {}
    for case in ElementTree.parse(log).iter("testcase"):
        method = case.attrib["name"].split(" with data set ")[0]
        wrong = [f"{case.attrib['name']}: {child.tag}\n{child.text or ''}" for child in case if child.tag != "system-out"]
        cases.setdefault((case.attrib["class"], method), []).append("\n".join(wrong))
    return cases


def listed_in(listing: Path) -> dict[tuple[str, str], set[str]]:
    """The groups of each method, as PHPUnit reads them."""
    listed: dict[tuple[str, str], set[str]] = {}
    for group in ElementTree.parse(listing).iter("testCaseClass"):
        for method in group.iter("testCaseMethod"):
            groups = set(method.attrib["groups"].split(",")) - {"default"}
            listed.setdefault((group.attrib["name"], method.attrib["name"]), set()).update(groups)
    return listed


def claims() -> Iterator[object]:
    """Every PHP test with the mark of the rows that it proves."""
    for test in TESTS:
        marks = [pytest.mark.spec(*test.rows)] if test.rows else []
        yield pytest.param(test, id=f"{test.group}-{test.name.removeprefix('test_')}", marks=marks)


@pytest.mark.parametrize("test", [*claims()])
def test_in_php(test: PhpTest, run: Run) -> None:
    cases = run.cases.get((test.group, test.name))
    assert cases, f"PHPUnit did not run it:\n{run.said}"
    wrong = [case for case in cases if case]
    assert not wrong, "\n".join(wrong)


def test_what_phpunit_lists_is_what_is_told_here(run: Run) -> None:
    assert {(test.group, test.name): set(test.rows) for test in TESTS} == run.listed
    assert set(run.cases) == set(run.listed)


def test_a_failing_a_skipped_and_an_empty_php_test_fail(php: str, tmp_path: Path) -> None:
    cases = {
        "fails": "$this->assertSame( 1, 2 );",
        "is_skipped": "$this->markTestSkipped( 'no' );",
        "is_open": "$this->markTestIncomplete( 'later' );",
        "dies": "throw new TypeError( 'broken' );",
        "warns": "trigger_error( 'careful', E_USER_WARNING );",
        "passes": "$this->assertSame( 1, 1 );",
    }
    methods = "\n".join(f"public function test_{name}() {{ {body} }}" for name, body in cases.items())
    source = f"<?php\nclass OddTest extends PHPUnit\\Framework\\TestCase {{\n{methods}\n}}\n"
    (tmp_path / "OddTest.php").write_text(source, encoding="utf-8")
    log = tmp_path / "log.xml"
    called(needed("phpunit"), "--no-configuration", "--do-not-cache-result", "--log-junit", str(log), str(tmp_path / "OddTest.php"))
    wrong = {method for (_, method), found in cases_of(log).items() if any(found)}
    assert wrong == {f"test_{name}" for name in cases if name != "passes"}


@pytest.mark.parametrize("file", PHP_FILES, ids=lambda file: file.name)
def test_php_can_read_the_file(file: Path, php: str) -> None:
    ended = called(php, "-l", str(file))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_file_that_php_cannot_read_is_found(php: str, tmp_path: Path) -> None:
    (tmp_path / "broken.php").write_text("<?php\nfunction f( {\n", encoding="utf-8")
    assert called(php, "-l", str(tmp_path / "broken.php")).returncode != 0
