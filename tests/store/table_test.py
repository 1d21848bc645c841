import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from mousetrap.store.formats import Columns
from mousetrap.store.table import Table

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def whole(part: Columns) -> str:
    table = Table()
    return (table.begin("[]", part) + table.points(part) + table.end).decode()


def test_a_batch_reads_as_rfc_4180_section_2_has_it() -> None:
    names = ['12" guns, "old"', "a,b", "one\r\ntwo", None, "=1+1"]
    assert whole(Columns([1.5, 2.0, 3.0, 4.0, 5.0], [-0.25] * 5, [*names])) == (
        "lat,lon,name\r\n"
        '1.5,-0.25,"12"" guns, ""old"""\r\n'
        '2.0,-0.25,"a,b"\r\n'
        '3.0,-0.25,"one\r\ntwo"\r\n'
        "4.0,-0.25,\r\n"
        "5.0,-0.25,=1+1\r\n"
    )


def test_only_the_columns_that_the_source_asks_for_are_named() -> None:
    every = Columns([1.0], [2.0], ["a"], ["7"], ["town"], [None])
    assert whole(every) == "lat,lon,name,id,group,value\r\n1.0,2.0,a,7,town,\r\n"
    some = Columns([1.0], [2.0], ["a"], groups=[None])
    assert whole(some) == "lat,lon,name,group\r\n1.0,2.0,a,\r\n"


@given(st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180), texts, texts), min_size=1))
def test_no_digit_and_no_letter_is_lost(rows: list[tuple[float, float, str | None, str]]) -> None:
    latitudes, longitudes, names, ids = map(list, zip(*rows, strict=True))
    text = whole(Columns(latitudes, longitudes, names, ids))
    head, *read = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert head == ["lat", "lon", "name", "id"]
    assert [(float(lat), float(lon), name, it) for lat, lon, name, it in read] == [
        (lat, lon, name or "", it or "") for lat, lon, name, it in rows
    ]
