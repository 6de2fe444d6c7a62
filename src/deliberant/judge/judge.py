"""The judge as an object: requests in, k independent verdicts each out.

Judged text is data. It travels between two lines that carry a fence, a word nobody can know before the text is written:
it is drawn from the hash of the judge's seed and of that very text. So a sample cannot close its own fence and speak
to the judge.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from deliberant.judge.requests import FilterRequest, JudgeRequest, RewardRequest
from deliberant.judge.rules import MENU, verdict_rule
from deliberant.judge.verdict import Verdict, parse, schema
from deliberant.models.types import Request, Sampler, Sampling
from deliberant.prompts.types import Hint, Message, Prompt
from deliberant.templates.loader import Templates

CLAUSE_HINT = "hint-clause.txt"


class Judge:
    """Reads requests with one model and one folder of prompt files: filter.txt, reward.txt, helpful.txt, hint.txt.

    Its verdict.yaml says how the model's words become verdicts (see `rules`; UserError for a mistake in it). Hints of a
    clause are shown by hint-clause.txt; a folder without it, such as that of the built-in judge, which has learned
    hints of styles alone, shows their style alone. `menu`: the scores the judge may give. `number`: reads a verdict as
    it was written, where verdict.yaml cannot. `shown`: what the model was shown by the last `read`, for each request.
    """

    def __init__(
        self,
        sampler: Sampler,
        templates: Templates,
        sampling: Sampling,
        menu: Sequence[int] = MENU,
        number: Callable[[str], int] | None = None,
    ) -> None:
        self.sampler = sampler
        self.templates = templates
        self.sampling = sampling
        self.menu = tuple(menu)
        self.number = number
        self.rule = verdict_rule(templates)
        self.shown: list[tuple[Message, ...]] = []

    def read(self, requests: Sequence[JudgeRequest], k: int, seed: int) -> list[list[Verdict]]:
        """k readings per request, in order: `len(result) == len(requests)`, `len(result[i]) == k`.

        All readings go to the sampler as one batch. A reading's randomness hangs on the request's content, its index
        and `seed`, not on its neighbours. Unscored readings are retried once, with another seed, and may stay so.
        """
        assert k >= 1, "a judge reads at least once"
        shown = [(request, self.messages(request, seed)) for request in requests]
        self.shown = [messages for _, messages in shown]
        readings = [(request, messages, index) for request, messages in shown for index in range(k)]
        verdicts = self._draw(readings, seed, attempt=0)
        again = [place for place, verdict in enumerate(verdicts) if verdict.unscored is not None]
        retried = self._draw([readings[place] for place in again], seed, attempt=1)
        for place, verdict in zip(again, retried, strict=True):
            verdicts[place] = verdict
        return [verdicts[start : start + k] for start in range(0, len(verdicts), k)]

    def messages(self, request: JudgeRequest, seed: int) -> tuple[Message, ...]:
        """What the judge is shown for one request."""
        values = {"conversation": format_conversation(request.prompt), "answer": request.answer}
        file = "filter.txt" if isinstance(request, FilterRequest) else "reward.txt"
        if request.spec_view is None:
            file = "helpful.txt"
        else:
            values |= {"spec_view": request.spec_view, "hint": self._hint(request.prompt)}
        if isinstance(request, FilterRequest):
            values["reasoning"] = request.reasoning
        return tuple(self.templates.render(file, with_fence(values, seed)))

    def _hint(self, prompt: Prompt) -> str:
        return "\n".join(map(self._opinion, prompt.hints))

    def _opinion(self, hint: Hint) -> str:
        if hint.clause is None or not shows_clauses(self.templates):
            return self.templates.text("hint.txt", {"style": hint.style})
        return self.templates.text(CLAUSE_HINT, {"clause": hint.clause, "style": hint.style})

    def _draw(
        self, readings: Sequence[tuple[JudgeRequest, tuple[Message, ...], int]], seed: int, attempt: int
    ) -> list[Verdict]:
        if not readings:
            return []
        requests = [
            Request(
                messages,
                request_seed(seed, messages, index, attempt),
                schema(self.rule, request.spec_view is not None, _hinted(request), self.menu),
            )
            for request, messages, index in readings
        ]
        return [
            parse(completion, self.rule, _hinted(request), self.menu, self.number)
            for (request, *_), completion in zip(readings, self.sampler.sample(requests, self.sampling), strict=True)
        ]


def shows_clauses(templates: Templates) -> bool:
    """Whether a judge with these prompt files is shown a hint's clause, beside its style."""
    return CLAUSE_HINT in templates.files


def format_conversation(prompt: Prompt) -> str:
    """A single turn as its bare text, several as `role: text` lines."""
    if len(prompt.messages) == 1:
        return prompt.messages[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in prompt.messages)


def fence(values: Mapping[str, str], seed: int) -> str:
    """Eight lowercase letters that occur in none of `values`, a function of them and of `seed`."""
    attempt = 0
    while True:
        number = _number("fence", seed, dict(values), attempt)
        word = "".join(chr(ord("a") + number // 26**place % 26) for place in range(8))
        if not any(word in value.lower() for value in values.values()):
            return word
        attempt += 1


def with_fence(values: Mapping[str, str], seed: int) -> dict[str, str]:
    """The values of a prompt file's placeholders, and the fence that goes around them."""
    return {**values, "fence": fence(values, seed)}


def _hinted(request: JudgeRequest) -> bool:
    """Whether the judge was shown a hint: the helpfulness rubric has none."""
    return bool(request.prompt.hints) and not (isinstance(request, RewardRequest) and request.spec_view is None)


def request_seed(seed: int, messages: tuple[Message, ...], index: int, attempt: int) -> int:
    """The seed of one reading: it hangs on what is shown, not on the neighbours in its batch."""
    return _number(seed, messages, index, attempt) % 2**31


def _number(*parts: object) -> int:
    """48 bits of sha256 over canonical JSON."""
    content = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return int(hashlib.sha256(content.encode()).hexdigest()[:12], 16)
