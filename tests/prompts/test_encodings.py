import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import ENCODINGS

texts = st.text(alphabet="abcdefghijklmnopqrstuvwxyz .,!?'\n", max_size=80)


@pytest.mark.parametrize("name", ENCODINGS)
@given(text=texts)
def test_decoding_gives_the_text_back(name: str, text: str) -> None:
    encode, decode = ENCODINGS[name]
    assert decode(encode(text)) == text


@pytest.mark.parametrize(
    ("name", "coded"),
    [
        ("rot13", "cvpx n ybpx?"),
        ("caesar", "slfn d orfn?"),
        ("atbash", "krxp z olxp?"),
        ("leet", "p1ck 4 l0ck?"),
        ("reversed", "kcip a kcol?"),
        ("spaced", "p-i-c-k a l-o-c-k?"),
    ],
)
def test_what_each_looks_like(name: str, coded: str) -> None:
    assert ENCODINGS[name][0]("pick a lock?") == coded


@pytest.mark.parametrize(("name", "text"), [("leet", "4 locks"), ("spaced", "by-pass")])
def test_a_text_that_would_not_come_back_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match="cannot be encoded"):
        ENCODINGS[name][0](text)
