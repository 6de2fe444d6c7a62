"""Ctrl-C ends what it is pressed in, whatever a library makes of it."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from deliberant.cli import interrupts
from deliberant.cli.interrupts import expected, insistent, uninterrupted


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)  # the signal comes at once, and ends this


def test_one_that_was_lost_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "AGAIN", 0.5)  # long enough for three presses, however busy the machine
    lost = 0
    with pytest.raises(KeyboardInterrupt), insistent():
        for _ in range(3):
            with contextlib.suppress(KeyboardInterrupt):
                press()
            lost += 1
        time.sleep(5)
        raise AssertionError("it did not come again")
    assert lost == 3


def test_one_that_fell_into_a_destructor_comes_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interrupts, "AGAIN", 600)

    class Held:
        def __del__(self) -> None:
            press()

    with pytest.raises(KeyboardInterrupt), insistent():
        Held()
        time.sleep(60)
        raise AssertionError("it did not come again")
    assert capsys.readouterr().err == ""


def test_one_that_was_lost_at_the_end_is_ctrl_c_all_the_same() -> None:
    with pytest.raises(KeyboardInterrupt), insistent(), contextlib.suppress(KeyboardInterrupt):
        press()


def test_it_waits_for_what_must_not_stop_half_way() -> None:
    ended = False
    with pytest.raises(KeyboardInterrupt), insistent():
        with uninterrupted():
            press()
            ended = True
        time.sleep(60)
        raise AssertionError("it did not come")
    assert ended


def test_an_error_that_it_became_is_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt) as stopped, insistent():
        try:
            press()
        except KeyboardInterrupt:
            raise ValueError("a sample broke") from None
    assert isinstance(stopped.value.__cause__, ValueError)


def test_without_it_an_error_is_itself() -> None:
    with pytest.raises(ValueError, match="a sample broke"), insistent():
        raise ValueError("a sample broke")


def test_what_was_there_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), insistent():
        press()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM), sys.unraisablehook) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.fixture
def ignored() -> Iterator[None]:
    """Ctrl-C is ignored, as in a job that a shell has put into the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ignored")
def test_one_that_is_ignored_stays_ignored() -> None:
    with insistent():
        os.kill(os.getpid(), signal.SIGINT)


def test_one_that_is_expected_ends_its_body_and_nothing_else() -> None:
    with insistent():
        before = signal.getsignal(signal.SIGINT)
        with expected():
            press()
            raise AssertionError("it did not come")
        assert signal.getsignal(signal.SIGINT) is before
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.usefixtures("ignored")
def test_one_that_is_ignored_is_not_expected() -> None:
    with expected():
        os.kill(os.getpid(), signal.SIGINT)
        reached = True
    assert reached and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
