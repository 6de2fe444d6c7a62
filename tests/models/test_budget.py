"""Prices, sums, and where a budget stops."""

from pathlib import Path

import pytest

from deliberant.models.budget import Account, Budget, Price, price_of, read_prices
from deliberant.models.types import Usage
from deliberant.util.errors import RunError, UserError

PRICES = {"openai/x": Price(input=1.0, output=10.0, cached=0.1)}


def spent() -> Account:
    account = Account()
    account.add("openai/x", Usage(input=1_000_000, output=100_000, cached=500_000))
    account.add("openai-api/mine/y", Usage(10, 10))
    return account


def test_dollars_by_list_price() -> None:
    assert spent().dollars(PRICES) == pytest.approx(0.5 + 0.05 + 1.0)
    assert spent().tokens == 1_100_020


@pytest.mark.parametrize(
    ("budget", "name"),
    [(Budget(requests=2), "requests"), (Budget(tokens=1_100_020), "tokens"), (Budget(dollars=1.55), "dollars")],
)
def test_a_budget_that_is_reached_stops(budget: Budget, name: str) -> None:
    with pytest.raises(RunError, match=rf"{name} is reached .*raise budget\.{name} .*the same command resumes"):
        spent().check(budget, PRICES)


def test_below_the_budget_nothing_stops() -> None:
    spent().check(Budget(), PRICES)
    spent().check(Budget(requests=3, tokens=1_100_021, dollars=1.56), PRICES)
    with pytest.raises(RunError):
        spent().check(Budget(requests=3), PRICES, under_way=1)


def test_the_shipped_prices_are_read() -> None:
    prices = read_prices()
    assert prices
    assert all(price.cached <= price.input < price.output for price in prices.values())
    assert price_of("openai/gpt-4o-2024-08-06", prices) == prices["openai/gpt-4o"]
    assert price_of("openai/gpt-4o-mini", prices) == prices["openai/gpt-4o-mini"]
    assert price_of("openai/gpt-4o-other", prices) is None


@pytest.mark.parametrize("text", ["", "models: [a]", "models: {a/b: {input: 1}}", "models: {a/b: {input: x}}", "{"])
def test_a_file_that_is_no_price_list(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"prices\.yaml: not a price list"):
        read_prices(path)
