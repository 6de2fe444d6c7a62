import random
from itertools import islice

from deliberant.micro.tasks import encoded_task, skills, word_task
from deliberant.micro.world import topics


def test_skills_are_solved() -> None:
    for task in islice(skills(random.Random(0), list(topics())), 200):
        assert task.answer and task.request and task.reasoning
        if task.name == "decode":
            assert task.answer == f"it says: {' '.join(task.reasoning.removeprefix('decoded: ').split()[1::2])}"
        if task.name == "last":
            assert task.answer.endswith(task.request.rstrip("?").split()[-1])


def test_an_encoded_task_is_decoded_and_then_done_as_the_plain_one() -> None:
    plain = word_task(random.Random(0), "fold a crane")
    sent = encoded_task(random.Random(0), plain)
    start, _, end = sent.reasoning.partition("decoded: ")
    assert start == "" and end.endswith(f" {plain.reasoning}")
    assert " ".join(end.removesuffix(f" {plain.reasoning}").split()[1::2]) == plain.request
    assert plain.request not in sent.request and sent.answer == plain.answer
