import re
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from deliberant.report.lines import Series, draw_curves, draw_rates
from deliberant.report.plots import Point, draw_two_sided, front
from deliberant.report.published import published, references
from deliberant.report.svg import assign_looks
from deliberant.run.arms import ARMS

SHARE = st.floats(0, 1)


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_every_arm_has_its_point_inside_the_frame_and_its_name(places: list[tuple[float, float]]) -> None:
    arms = list(ARMS)[: len(places)]
    points = [Point(arm, x, y, (x * 0.9, x), (y * 0.9, y)) for arm, (x, y) in zip(arms, places, strict=True)]
    root = parse(draw_two_sided(points, "harmless", "harmful"))
    marks = root.findall(".//g[title]")
    assert [(mark.findtext("title") or "").split(":")[0] for mark in marks] == arms
    labels = {text.text for text in root.iter("text") if text.get("class") == "label"}
    assert labels == set(arms)
    for line in root.iter("line"):
        for name, limit in (("x1", 520), ("x2", 520), ("y1", 440), ("y2", 440)):
            assert 0 <= float(line.get(name, "-1")) <= limit


def test_better_is_up_and_to_the_right() -> None:
    points = [Point(arm, at, at, (at, at), (at, at)) for arm, at in (("base", 0.6), ("sft", 0.9))]
    root = parse(draw_two_sided(points, "x", "y"))
    bars = {line.get("class", ""): line for line in root.iter("line") if "bar" in line.get("class", "")}
    base, sft = bars["bar arm-base"], bars["bar arm-sft"]
    assert float(sft.get("x1", 0)) > float(base.get("x1", 0))
    assert float(sft.get("y1", 0)) < float(base.get("y1", 0))


def test_names_of_points_in_one_place_do_not_cover_each_other() -> None:
    points = [Point(arm, 0.95, 0.95, (0.94, 0.96), (0.94, 0.96)) for arm in ARMS]
    root = parse(draw_two_sided(points, "x", "y"))
    places = [(float(t.get("x", 0)), float(t.get("y", 0))) for t in root.iter("text") if t.get("class") == "label"]
    for i, (x, y) in enumerate(places):
        for other_x, other_y in places[:i]:
            assert abs(y - other_y) >= 14 or abs(x - other_x) >= 20


def test_a_name_is_text_and_no_markup() -> None:
    svg = draw_two_sided([Point("<b>&", 0.5, 0.5, (0.4, 0.6), (0.4, 0.6))], "x", "y")
    assert "<b>" not in svg
    parse(svg)


@given(st.lists(st.floats(-5, 1e4), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_a_curve_stays_in_its_frame(values: list[float]) -> None:
    series = [Series("loss", "tone-1", list(enumerate(values)))]
    root = parse(draw_curves(series, "step", "loss"))
    lines = list(root.iter("polyline"))
    assert len(lines) == 2
    for line in lines:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", line.get("points", ""))]
        assert len(numbers) == 2 * len(values)
        assert all(48 <= x <= 408.1 for x in numbers[::2])
        assert all(11.9 <= y <= 182.1 for y in numbers[1::2])


def test_the_front_is_what_nothing_beats_on_both_sides() -> None:
    places = {
        "best left": (0.2, 0.9),
        "beaten": (0.2, 0.8),
        "middle": (0.6, 0.6),
        "right": (0.9, 0.1),
        "also": (0.5, 0.6),
    }
    points = [Point(name, x, y, (x, x), (y, y)) for name, (x, y) in places.items()]
    assert [each.arm for each in front(points)] == ["right", "middle", "best left"]
    assert len(parse(draw_two_sided(points, "x", "y")).findall(".//polyline[@class='front']")) == 1


def test_published_points_are_hollow_and_said_to_be_not_comparable() -> None:
    found = references(("xstest", "harmless_answered"), ("strongreject", "goodness@0.1"))
    assert {each.model: (each.x, each.y) for each in found}["o1"] == (0.93, 0.88)
    assert len(found) == 5
    root = parse(draw_two_sided([Point("openai/gpt-4o", 0.5, 0.5, (0.4, 0.6), (0.4, 0.6))], "x", "y", found))
    marks = root.findall(".//g[title]")
    assert [mark.findtext("title", "").split(",")[0] for mark in marks[:5]] == [each.model for each in found]
    assert all("not comparable: XSTest" in mark.findtext("title", "") for mark in marks[:5])
    assert all(mark.find("circle").get("class") == "hollow" for mark in marks[:5])  # type: ignore[union-attr]
    assert references(("xstest", "harmless_answered"), ("seen", "style")) == []


def test_every_published_table_says_where_from_and_how() -> None:
    for table in published():
        assert table.keys() == {"suite", "metric", "source", "setting", "values"}
        assert all(0 <= value <= 1 for value in table["values"].values())
    assert published()


def test_models_take_looks_that_no_arm_in_the_chart_has() -> None:
    found = assign_looks(["sft", "a", "b", "base"])
    assert found["sft"].css == "arm-sft"
    assert len({(each.css, each.shape) for each in found.values()}) == 4
    assert len(assign_looks([f"model {i}" for i in range(20)])) == 20


@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_rates_over_steps_stay_in_their_frame(pairs: list[tuple[float, float]]) -> None:
    found = [(str(i), {"value": min(p), "low": min(p), "high": max(p), "n": 3}) for i, p in enumerate(pairs)]
    [look] = assign_looks(["sft"]).values()
    nothing = ("none", {"value": None, "low": None, "high": None, "n": 0})
    root = parse(draw_rates([("sft", look, [*found, nothing])], "draws", "share"))
    assert len(root.findall(".//g[title]")) == len(pairs)
    for line in root.iter("line"):
        assert all(0 <= float(line.get(name, "-1")) <= 420 for name in ("x1", "x2", "y1", "y2"))
