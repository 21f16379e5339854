"""Counting, and the text that Prometheus reads."""

import threading

from connector.metrics import Counter, Family, Gauge, Histogram, Metrics, gauge, render


def test_a_counter_counts_by_its_labels_from_any_thread() -> None:
    counter = Counter("connector_things_total", "Things.", "kind", "outcome")
    threads = [threading.Thread(target=lambda: [counter.add("a", "ok") for _ in range(5_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counter.add("b", "ok", by=2.5)
    assert (counter.value("a", "ok"), counter.value("c", "ok")) == (20_000, 0)
    assert render([counter.family()]).splitlines() == [
        "# HELP connector_things_total Things.",
        "# TYPE connector_things_total counter",
        'connector_things_total{kind="a",outcome="ok"} 20000',
        'connector_things_total{kind="b",outcome="ok"} 2.5',
    ]


def test_a_histogram_counts_what_was_faster_than_each_bound() -> None:
    histogram = Histogram("connector_wait_seconds", "Waits.", "what", (0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 3.0):
        histogram.observe("x", seconds)
    assert render([histogram.family()]).splitlines()[2:] == [
        'connector_wait_seconds_bucket{what="x",le="0.1"} 2',
        'connector_wait_seconds_bucket{what="x",le="1"} 3',
        'connector_wait_seconds_bucket{what="x",le="+Inf"} 4',
        'connector_wait_seconds_sum{what="x"} 3.65',
        'connector_wait_seconds_count{what="x"} 4',
    ]


def test_what_has_no_figure_yet_is_not_shown() -> None:
    empty = Gauge("connector_last_timestamp_seconds", "When.")
    assert render([empty.family(), Counter("connector_x_total", "X.", "y").family()]) == "\n"
    empty.set(1.5)
    assert "connector_last_timestamp_seconds 1.5" in render([empty.family()])


def test_texts_cannot_break_out_of_their_line() -> None:
    said = render([Family("connector_x", "gauge", "one\\two\nthree", [("", (("label", 'a"b\\c\nd'),), 1.0)])])
    assert said == '# HELP connector_x one\\\\two\\nthree\n# TYPE connector_x gauge\nconnector_x{label="a\\"b\\\\c\\nd"} 1\n'


def test_a_process_tells_what_it_is_and_asks_its_parts() -> None:
    metrics = Metrics()
    metrics.add_source(lambda: [gauge("rows", "Rows.", 7)])
    said = render(metrics.families())
    assert 'connector_build_info{version="' in said
    assert "connector_rows 7" in said
    assert "connector_process_start_time_seconds 1" in said
