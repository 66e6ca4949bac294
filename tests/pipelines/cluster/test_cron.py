"""Cron expressions: python -m pytest tests/pipelines/cluster/test_cron.py"""

from datetime import UTC, datetime

import pytest

from pipelines.cluster.cron import read_cron

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("text", "expression", "words", "following"),
    [
        ("0 3 * * *", "0 0 3 * * *", "At 03:00 every day", "2026-11-24 03:00:00"),
        ("0 0 3 * * *", "0 0 3 * * *", "At 03:00 every day", "2026-11-24 03:00:00"),
        ("30 2 * * mon-fri", "0 30 2 * * MON-FRI", "At 02:30 on Monday through Friday", "2026-11-24 02:30:00"),
        ("15 30 3 1 */2 ?", "15 30 3 1 */2 ?", "At 03:30:15 on the first day of every second month", None),
        ("0 0 29 2 *", "0 0 0 29 2 *", "At 00:00 on February 29", "2028-02-29 00:00:00"),
    ],
)
def test_five_or_six_fields_become_six_with_words_and_the_next_time(text, expression, words, following):
    cron = read_cron(text, NOW)
    assert (cron.expression, cron.words) == (expression, words)
    assert len(cron.next) == 3
    assert following is None or f"{cron.next[0]:%Y-%m-%d %H:%M:%S}" == following


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_a_day_that_no_such_month_has_never_fires(text):
    with pytest.raises(ValueError, match="never fires: no such month has such a day"):
        read_cron(text, NOW)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("* * *", "five fields .* or six .* got 3"),
        ("@daily", "five fields .* got 1"),
        ("61 * * * *", "minute of a cron expression is 0 to 59, .* got '61'"),
        ("0 24 * * *", "hour .* 0 to 23"),
        ("0 0 0 * *", "day of the month .* 1 to 31"),
        ("0 0 * FOO *", "month .* JAN to DEC, .* got 'FOO'"),
        ("0 3 * * 7", "day of the week .* got '7': Sunday is 0"),
        ("0 3 * * 5-7", "Sunday is 0"),
        ("0 3 L * *", "day of the month .* got 'L'"),
        ("0 3 * * MON#2", "day of the week .* got 'MON#2'"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
    ],
)
def test_a_field_that_the_cluster_would_not_read_is_named(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_cron(text, NOW)


def test_a_step_of_seven_is_no_sunday():
    assert read_cron("*/7 * * * 0-6/3", NOW).expression == "0 */7 * * * 0-6/3"
