"""What the benchmark of metrics prints."""

from benchmarks.metrics import Figures, describe


def test_figures_are_compared_with_their_bounds() -> None:
    table = describe(
        Figures(
            scrapes_ms=[10.0] * 9 + [80.0], scrape_cpu_ms=7.0, lines=5001, whole_us=[600.0], shares=[0.04, 0.08, 0.3]
        )
    )
    assert "| scrape, p50 | 50 ms | 10.0 ms | within |" in table
    assert "| scrape, p90 | 50 ms | 73.0 ms | over |" in table
    assert "| scrape, CPU |  | 7.0 ms |  |" in table
    assert "| lines of a scrape | 5,000 | 5,001 | over |" in table
    assert "| 10% | 8.0% of 600 \u00b5s (rounds: 4.0% to 30.0%) | within |" in table
