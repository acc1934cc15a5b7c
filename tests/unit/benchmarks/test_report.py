from benchmarks.figures import BARE, GATEWAY, Verdict
from benchmarks.report import format_http, format_table, format_verdicts


def test_format_table_lines_columns_up() -> None:
    assert format_table(["", "n"], [["a", "10"], ["long", "2"]]) == (
        "|      |  n |\n| ---- | -- |\n| a    | 10 |\n| long |  2 |"
    )


def test_format_http_shows_ratios_and_what_is_absent() -> None:
    text = format_http({GATEWAY: {"cpu_us_per_request": 600.0}, BARE: {"cpu_us_per_request": 400.0}}, {"nginx": "none"})

    assert "1.50 x" in text
    assert "absent: nginx (none)" in text


def test_format_verdicts_says_by_how_much() -> None:
    text = format_verdicts([Verdict("ratio", 2.1, 1.4, "x"), Verdict("streams", 500, 500, "", at_least=True)])

    ratio_line, streams_line = text.splitlines()[-2:]
    assert [cell.strip() for cell in ratio_line.split("|")[1:-1]] == ["ratio", "2.10 x", "≤ 1.4 x", "over by 50%"]
    assert streams_line.endswith("within |")
