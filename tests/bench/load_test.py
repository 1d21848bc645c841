"""The figures that are made of the latencies."""

from bench import load


def test_percentiles_of_all_whole_numbers_are_themselves() -> None:
    assert load.percentiles(range(101), 1, 50, 99) == [1, 50, 99]


def test_no_percentile_is_beyond_what_was_seen() -> None:
    assert load.percentiles([1.0, 2.0], 99) == [1.99]


def test_one_slow_answer_in_a_hundred_shows_only_beyond_the_ninety_ninth() -> None:
    values = [1.0] * 200 + [1000.0]

    assert load.percentiles(values, 50, 99) == [1.0, 1.0]


def test_length_of_a_body_is_what_its_head_says() -> None:
    assert load.content_length(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n") == 12
    assert load.content_length(b"HTTP/1.1 200 OK\r\nX-Content-Length-Of: 12\r\n\r\n") is None
