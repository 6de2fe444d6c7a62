import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliberant.prompts import ENCODINGS
from deliberant.prompts.encodings import ANY_SCRIPT, has_other_letters, strip_accents

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


@pytest.mark.parametrize("name", ANY_SCRIPT)
@given(text=st.text(max_size=40))
def test_what_moves_letters_works_in_any_script_or_refuses(name: str, text: str) -> None:
    encode, decode = ENCODINGS[name]
    try:
        assert decode(encode(strip_accents(text))) == strip_accents(text)
    except ValueError as error:
        assert "cannot be encoded" in str(error)


def test_accents_ligatures_and_curly_quotes_are_taken_off() -> None:
    assert strip_accents("O\u00f9 l\u2019\u00c9t\u00e9 co\u00fbte, c\u0153ur ?") == "ou l'ete coute, coeur ?"
    assert (
        has_other_letters("\u0646\u0647")
        and not has_other_letters("\u00e9t\u00e9")
        and strip_accents("\u0646\u0647") == "\u0646\u0647"
    )
    assert ENCODINGS["reversed"][0]("\u0627\u0628 \u062c") == "\u0628\u0627 \u062c"


@pytest.mark.parametrize(("name", "text"), [("leet", "4 locks"), ("spaced", "by-pass")])
def test_a_text_that_would_not_come_back_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match="cannot be encoded"):
        ENCODINGS[name][0](text)
