"""Attacks of one text each, as data: how they ask, in which code, and how an answer is read that came in one.

`static/*.yaml` has those for models in general, `micro/attacks.yaml` the built-in world's, in its own words. Every text
is our own and stays at the level of the methods' public descriptions: Bailey et al. 2023 (StrongREJECT's list: Souly et
al. 2024), PAP (Zeng et al. 2024), H-CoT (Kuo et al. 2025), policies as config files (HiddenLayer 2025). Several turns
are written out beforehand, the assistant's included; what adapts to the answers is a solver beside this module.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import yaml

from deliberant.evals.attacks.codes import CODES, read_in
from deliberant.prompts.types import Case, Message, Prompt
from deliberant.templates.loader import fill_from
from deliberant.util.errors import UserError
from deliberant.util.names import suggest_name

STATIC = Path(__file__).parent / "static"
WORLD = Path(__file__).parents[2] / "micro" / "attacks.yaml"
"""The built-in world's; its room is above this one."""
AT = "@"


@dataclass(frozen=True)
class Attack:
    """One way to ask. `group` is the method, of which there may be several attacks in other words.

    `turns` end on the user's and hold {{request}}, {{coded}} (in `code`), or {{first}} and {{second}} (its halves).
    `answer`: the code in which it asks for the answer, which is decoded before it is graded. `held_out`: it measures;
    nothing that it finds is trained on.
    """

    name: str
    group: str
    turns: tuple[Message, ...]
    code: str | None = None
    answer: str | None = None
    held_out: bool = False


def _read(*files: Path) -> dict[str, Attack]:
    """By name. A file holds groups of attacks; `ask` is the turns, or the text of the only one."""
    attacks = {}
    for file in files:
        for group, rows in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            for name, row in rows.items():
                ask = row.pop("ask")
                turns: list[Message] = [{"role": "user", "content": ask}] if isinstance(ask, str) else ask
                assert name not in attacks, f"two attacks are called {name}"
                attacks[name] = Attack(name, group, tuple(turns), **row)
    return attacks


@cache
def attacks() -> Mapping[str, Attack]:
    """The attacks on models in general, by name."""
    return _read(*sorted(STATIC.glob("*.yaml")))


@cache
def world_attacks() -> Mapping[str, Attack]:
    """The attacks in the built-in world's own words, by name."""
    return _read(WORLD)


@cache
def _known() -> Mapping[str, Attack]:
    return {**attacks(), **world_attacks()}


def attacks_named(names: Iterable[str]) -> list[Attack]:
    """The attacks of these names, or of these groups, each once. UserError with the nearest for any other name."""
    known = _known()
    groups = {attack.group for attack in known.values()}
    chosen: dict[str, Attack] = {}
    for name in names:
        if name not in known and name not in groups:
            raise UserError(f"there is no attack '{name}'; {suggest_name(name, [*known, *groups])}")
        chosen |= {each.name: each for each in known.values() if name in (each.name, each.group)}
    return list(chosen.values())


def attacked_prompt(prompt: Prompt, attack: Attack) -> Prompt:
    """The prompt as the attack asks it: its last user turn in the attack's words, behind whatever came before."""
    request = prompt.messages[-1]["content"]
    words = request.split()
    middle = (len(words) + 1) // 2
    values = {"request": request, "first": " ".join(words[:middle]), "second": " ".join(words[middle:])}
    if attack.code:
        values["coded"] = CODES[attack.code].encode(request)
    turns = (Message(role=turn["role"], content=fill_from(turn["content"], values)) for turn in attack.turns)
    return replace(
        prompt,
        id=f"{prompt.id}{AT}{attack.name}",
        messages=(*prompt.messages[:-1], *turns),
        framing=attack.name,
    )


def attacked_case(case: Case, attack: Attack) -> Case:
    """The case under the attack; graders are shown its `plain`, the request as it was."""
    request = case.plain or case.prompt.messages[-1]["content"]
    return replace(case, prompt=attacked_prompt(case.prompt, attack), plain=request, attack=attack.name)


def attack_cases(cases: Iterable[Case], names: Iterable[str]) -> list[Case]:
    """Every case under each of these attacks (names or groups). UserError: there is no such attack."""
    chosen = attacks_named(names)
    return [attacked_case(case, attack) for case in cases for attack in chosen]


def decode_answer(attack: Attack, answer: str) -> str:
    """An answer as it is graded: decoded, where the attack asked for it in a code and it is in that code."""
    return read_in(attack.answer, answer) if attack.answer else answer


def graded_text(case: Case, answer: str) -> str | None:
    """The answer to an attacked case as it is graded; None where that is the answer as it came."""
    attack = _known().get(case.attack) if case.attack else None
    read = decode_answer(attack, answer) if attack else answer
    return None if read == answer else read
