from hypothesis import given
from hypothesis import strategies as st

from deliberant.models.local.batches import plan

prompt = st.builds(
    lambda stem, own: (*[stem] * (stem * 40), *own),
    st.integers(0, 8),
    st.lists(st.integers(0, 9), min_size=1, max_size=9),
)


@given(
    st.lists(st.tuples(prompt, st.integers(1, 6)), max_size=40), st.integers(1, 50), st.integers(1, 16), st.booleans()
)
def test_every_prompt_travels_once_and_whole_within_the_budget(
    weighted: list[tuple[tuple[int, ...], int]], room: int, batch_rows: int, copied: bool
) -> None:
    prompts = [prompt for prompt, times in weighted for _ in range(times)]
    batches = plan(prompts, room, 2000, batch_rows, copied)
    seen = {row: g.prefix + s for batch in batches for g in batch for s, row in zip(g.suffixes, g.rows, strict=True)}
    assert [seen[row] for row in range(len(prompts))] == prompts
    assert sum(len(group.rows) for batch in batches for group in batch) == len(prompts)
    for batch in batches:
        rows = sum(len(group.rows) for group in batch)
        own = max(len(suffix) + copied * len(group.prefix) for group in batch for suffix in group.suffixes) + room
        cached = rows * own + (not copied) * sum(len(group.prefix) for group in batch)
        assert rows <= batch_rows
        assert rows == 1 or cached <= 2000
        assert all(suffix for group in batch for suffix in group.suffixes)


def test_prompts_with_the_same_long_view_share_it() -> None:
    common, one, two = (1,) * 100, (2,) * 90, (3,) * 90
    prompts = [common + view + (10 + i,) * 5 for i in range(10) for view in (one, two)]
    [batch] = plan(prompts, 50, 10**6, 256)
    assert [(group.prefix, len(group.rows)) for group in batch] == [(common + one, 10), (common + two, 10)]


def test_identical_prompts_share_all_but_the_last_token() -> None:
    [[group]] = plan([(1, 2, 3)] * 4, 50, 10**6, 256)
    assert (group.prefix, group.suffixes, group.rows) == ((1, 2), ((3,),) * 4, (0, 1, 2, 3))
