"""Rates, lags, shares and checks are computed as the tables say."""

import json
import sys
from pathlib import Path

import pytest

from tests.bench import node
from tests.bench.apply import steady_rate
from tests.bench.passage import Load, to_passage
from tests.bench.report import Findings, percentile, write


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
    assert percentile([float(n) for n in range(1, 102)], 0.99) == 100.0
    assert percentile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.99) == 0.0


def test_a_steady_rate_leaves_the_beginning_out() -> None:
    instants = [0.0, 10.0, *(10.0 + n / 4 for n in range(1, 19))]
    assert steady_rate(instants, 0.1) == pytest.approx((20 - 1 - 2) / (instants[-1] - instants[2])) == pytest.approx(4.0)


def test_what_was_applied_after_the_load_ended_does_not_count_as_applied_in_its_time() -> None:
    load = Load(acknowledged=4, checkouts=4, seconds=2.0, answer_p99=1.0)
    passage = to_passage(load, [(100.0, 100.1, 109.0), (101.0, 102.0, 109.0), (101.9, 102.5, 109.0), (101.9, None, 109.0)])
    assert (passage.kept, passage.applied, passage.backlog, passage.left, passage.rate) == (4, 2, 2, 1, 1.0)


def test_what_was_never_applied_has_waited_until_it_was_looked_at() -> None:
    load = Load(acknowledged=3, checkouts=3, seconds=2.0, answer_p99=1.0)
    passage = to_passage(load, [(100.0, 100.01, 109.0), (100.0, 100.02, 109.0), (100.0, None, 109.0)])
    assert passage.lag_p50 == pytest.approx(20.0)
    assert passage.lag_p99 == pytest.approx(9000.0)


def test_a_missed_bound_is_a_check_that_does_not_hold() -> None:
    found = Findings("A bench")
    found.at_least(7.99, "a peer", 8.0, 15.0)
    found.at_least(8.0, "a peer", 8.0)
    found.at_most(50.1, "ms", "lag", 50.0)
    found.at_most(50.0, "ms", "lag", 50.0)
    assert [(check.text, check.holds) for check in found.checks] == [
        ("7.99 × a peer (at least 8, aim 15)", False),
        ("8.00 × a peer (at least 8)", True),
        ("50.1 ms lag (at most 50)", False),
        ("50.0 ms lag (at most 50)", True),
    ]


def test_figures_are_medians_with_their_ratios_to_all_others(tmp_path: Path) -> None:
    found = Findings("A bench")
    found.rates({"ours": [100.0, 900.0, 300.0], "theirs": [20.0, 10.0, 30.0]}, "deliveries/s", "apply")
    write(tmp_path / "var" / "bench.json", [found])
    assert json.loads((tmp_path / "var" / "bench.json").read_text()) == [
        {"name": "apply: ours", "value": 300.0, "unit": "deliveries/s", "ratio_to": {"theirs": 15.0}},
        {"name": "apply: theirs", "value": 20.0, "unit": "deliveries/s", "ratio_to": {"ours": 0.067}},
    ]


def pretend_npm(directory: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """An npm and a node on a PATH of their own."""
    directory.mkdir()
    for name in ("npm", "node"):
        (directory / name).write_text(f"#!{sys.executable}\n{text}\n")
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


def test_npm_that_cannot_install_is_a_reason_to_go_without_this_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ("code EAI_AGAIN", "request failed", "see https://a.example", "A complete log of this can be found in: x")
    complaint = "npm warn odd\\n" + "\\n".join(f"npm error {line}" for line in said)
    pretend_npm(tmp_path / "bin", monkeypatch, f'import sys; sys.exit(print("{complaint}", file=sys.stderr) or 1)')
    with pytest.raises(node.Skipped, match=r"^npm could not install it: code EAI_AGAIN; request failed$"):
        node.install(tmp_path / "express")


def test_npm_that_installs_another_version_did_not_install_this_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_npm(tmp_path / "bin", monkeypatch, "")
    with pytest.raises(node.Skipped, match="it gave no reason"):
        node.install(tmp_path / "express")


def test_without_node_this_peer_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(node.Skipped, match="not on PATH"):
        node.install(tmp_path / "express")


def test_packages_that_are_there_are_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_npm(tmp_path / "bin", monkeypatch, "import sys; sys.exit(1)")
    directory = tmp_path / "express"
    for name, version in json.loads((node.SOURCE / "package.json").read_text())["dependencies"].items():
        place = directory / "node_modules" / name
        place.mkdir(parents=True)
        (place / "package.json").write_text(json.dumps({"version": version}))
    node.install(directory)
    assert (directory / "server.mjs").read_bytes() == (node.SOURCE / "server.mjs").read_bytes()
