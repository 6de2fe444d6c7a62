"""What calls cost, and where to stop: budgets in requests, tokens and dollars."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveInt

from deliberant.models.types import Usage
from deliberant.util.errors import RunError, UserError

PRICES = Path(__file__).with_name("prices.yaml")
_DATED = re.compile(r"[-@]\d{4}-?\d\d-?\d\d$")


@dataclass(frozen=True)
class Price:
    """Dollars a million tokens; `cached` is for tokens that the provider had read before."""

    input: float
    output: float
    cached: float

    def of(self, usage: Usage) -> float:
        fresh = usage.input - usage.cached
        return (fresh * self.input + usage.cached * self.cached + usage.output * self.output) / 1e6


class Budget(BaseModel):
    """The most that a run may spend on remote calls; None sets no limit. Reached, it stops the run, once calls on their
    way have ended; with a higher one the same run resumes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    requests: PositiveInt | None = None
    tokens: PositiveInt | None = None
    dollars: NonNegativeFloat | None = None


class Account:
    """What was spent: finished calls and their tokens, by model."""

    def __init__(self) -> None:
        self.requests: dict[str, int] = {}
        self.usage: dict[str, Usage] = {}

    def add(self, model: str, usage: Usage) -> None:
        self.requests[model] = self.requests.get(model, 0) + 1
        self.usage[model] = self.usage.get(model, Usage(0, 0)) + usage

    @property
    def tokens(self) -> int:
        """Tokens read and drawn, cached ones included."""
        return sum(usage.input + usage.output for usage in self.usage.values())

    def dollars(self, prices: Mapping[str, Price]) -> float:
        """By list price; models without one (your own servers) cost nothing."""
        return sum(price.of(usage) for model, usage in self.usage.items() if (price := price_of(model, prices)))

    def check(self, budget: Budget, prices: Mapping[str, Price], under_way: int = 0) -> None:
        """RunError where one more call would be beyond the budget; `under_way` calls are not finished yet."""
        requests = sum(self.requests.values()) + under_way
        spent = {"requests": requests, "tokens": self.tokens, "dollars": self.dollars(prices)}
        for name, most in vars(budget).items():
            if most is not None and spent[name] >= most:
                raise RunError(
                    f"the budget of {most:,} {name} is reached (spent: {requests:,} requests, {self.tokens:,} tokens, "
                    f"${spent['dollars']:.2f}); raise budget.{name} in the recipe, and the same command resumes"
                )


def read_prices(path: Path = PRICES) -> dict[str, Price]:
    """Prices by provider/model. UserError with the file where an entry is not three numbers."""
    try:
        models = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
        return {name: Price(**{key: float(value) for key, value in row.items()}) for name, row in models.items()}
    except (OSError, TypeError, ValueError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise UserError(
            f"{path}: not a price list ({type(error).__name__}: {error}); write 'models:', then for each "
            "'provider/model: {input: …, output: …, cached: …}' in dollars a million tokens"
        ) from error


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of provider/model; a dated version has that of its family."""
    return prices.get(model) or prices.get(_DATED.sub("", model))
