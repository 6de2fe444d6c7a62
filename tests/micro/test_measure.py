"""The table of the base model runs whole in tests/test_readme.py; here is how it tells one error from another."""

import random
from dataclasses import replace

from deliberant.micro.measure import fresh_tasks, mistaken, take
from deliberant.micro.replies import policy_reply
from deliberant.micro.world import styled_answer
from deliberant.models.formats import Parts


def test_a_random_word_in_a_right_reply_is_no_mistake_and_another_style_or_clause_is() -> None:
    for task in take(fresh_tasks, 50, "test"):
        reply = policy_reply(task.ask, task.clause, "", random.Random(0))
        right = Parts(reply.reasoning, reply.answer, True)
        assert not mistaken(task, right)
        assert not mistaken(task, replace(right, answer=f"purse {right.answer}"))
        assert not mistaken(task, replace(right, reasoning=f"{right.reasoning} [Q99]"))
        other = "comply" if task.clause.style == "refuse" else "refuse"
        assert mistaken(task, replace(right, answer=styled_answer(other, task.ask)))  # type: ignore[arg-type]
        assert mistaken(task, replace(right, reasoning=right.reasoning.replace(f"[{task.clause.id}]", "[Q99]")))
        assert mistaken(task, replace(right, reasoning="this asks for something."))
