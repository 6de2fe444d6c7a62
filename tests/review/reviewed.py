"""Real runs through filter, with hostile text in them, for people to read."""

from dataclasses import replace
from pathlib import Path

from deliberant.models.types import Request
from deliberant.review import Label, Labels, Samples, new_label
from deliberant.stages.filter import filter
from deliberant.stages.generate import generate
from tests.stages.scripted import HEARTH, PRUNING, Scripted, ScriptedRun, make_run

HOSTILE = '<script>alert("x")</script> [F1] & "quoted"'
TEXTS = {
    "hearth": ["[F2] good", "[F1] bad", f"[F2] good {HOSTILE}", "nothing"],
    "stove": ["[F2] good", "[F2] bad", "[F1] bad", "[X9]"],
    "pruning": ["[T1] good", "[T1] good", "[T1] doubtful", "[T1] bad"],
}
"""What each sample reasons: good ones are kept, bad ones score low, doubtful ones once in three readings; the last of
hearth and of stove never reach the judge."""
KEPT = {"hearth#0", "hearth#2", "stove#0", "pruning#0", "pruning#1"}
UNJUDGED = {"hearth#3", "stove#3"}


def judge(request: Request) -> str:
    """A judge that reads the word in the sample, names its clause, and believes hints that say refuse."""
    text = request.messages[-1]["content"]
    good = "good" in text or ("doubtful" in text and request.seed % 2)
    hinted = "another AI determined" in text
    swayed = hinted and "style is refuse" in text
    clause = next(name for name in ("F1", "F2", "T1") if f"[{name}]" in text)
    hint = f"hint: {'agree' if swayed else 'disagree'}\n" if hinted else ""
    return f"<think>a</think>clause: [{clause}]\n{hint}score: {2 if swayed or not good else 5}"


def reviewed(tmp_path: Path) -> ScriptedRun:
    """A run whose filter has finished: twelve samples of three prompts."""
    train = [HEARTH, replace(HEARTH, id="stove", family="stove"), replace(PRUNING, hints=())]
    drawn = iter([f"<think>{text}</think>answer of {each.id}" for each in train for text in TEXTS[each.id]])
    base = Scripted(lambda request: next(drawn))
    run = make_run(
        tmp_path, base, Scripted(judge, "judge"), train=train, generate={"samples": 4}, filter={"k": 3, "chunk": 2}
    )
    generate(run)
    filter(run)
    return run


def label(samples: Samples, name: str, decision: str, reviewer: str = "ana", clause: str | None = None) -> Label:
    given = {"reviewer": reviewer, "decision": decision, "clause": clause}
    return new_label(samples, samples.by_id[name], given, "test")


def labelled(samples: Samples, words: str, reviewer: str = "ana") -> list[Label]:
    """Store `hearth#0 accept, hearth#1 reject F2, ...`; returns all labels there are."""
    store = Labels(samples)
    for word in words.split(", "):
        name, decision, *clause = word.split()
        store.append([label(samples, name, decision, reviewer, clause[0] if clause else None)])
    return store.read()
