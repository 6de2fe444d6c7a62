"""Scored samples as an Inspect log: `inspect view` and Inspect's data frames open what a stage has drawn and judged."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, EvalSample, EvalStats, recompute_metrics, write_eval_log

from deliberant.evals.grader import GRADER, generate_config
from deliberant.evals.metrics import Clauses, clause_facts
from deliberant.evals.provider import model_output, model_usage, turns
from deliberant.evals.samples import ScoredSample, case_row, spent
from deliberant.evals.tasks import inspect_score
from deliberant.models.types import Sampling
from deliberant.policy import Policy
from deliberant.prompts.types import Case, Message
from deliberant.util.files import explain_write_errors
from deliberant.version import VERSION

_METRICS = {"*": [{"name": "inspect_ai/mean"}, {"name": "inspect_ai/stderr", "options": {"cluster": "family"}}]}


def write_log(
    path: Path,
    samples: Sequence[ScoredSample],
    policy: Policy | None,
    *,
    id: str,
    model: str,
    grader: str | None,
    sampling: Sampling,
    given: Callable[[Case], Sequence[Message]],
    metadata: Mapping[str, Any],
) -> None:
    """Write the log of one task that has run: header, samples with their scores, and the metrics that Inspect computes.

    `id` names it among logs; `given` says what the model was shown for a case. RunError when the disk is full.
    """
    from inspect_ai import __version__

    now = datetime.now(UTC).isoformat()
    clauses = clause_facts(policy) if policy else {}
    config = generate_config(sampling)
    header = {
        **dict.fromkeys(("eval_id", "run_id", "task_id"), id),
        "created": now,
        "task": "cases",
        "task_registry_name": "deliberant/cases",
        "dataset": {"name": "cases", "samples": len(samples), "sample_ids": [each.case.prompt.id for each in samples]},
        "model": model,
        "model_generate_config": config,
        "model_roles": grader and {GRADER: {"model": grader}},
        "config": {"epochs": 1},
        "packages": {"inspect_ai": __version__, "deliberant": VERSION},
        "scorers": [{"name": "response", "metrics": _METRICS}],
        "metadata": dict(metadata),
    }
    log = EvalLog.model_validate(
        {
            "status": "success",
            "eval": header,
            "plan": {"steps": [{"solver": "deliberant/answer_once"}], "config": config},
            "stats": EvalStats(started_at=now, completed_at=now, model_usage={model: model_usage(spent(samples))}),
            "samples": [_sample(sample, clauses, model, given(sample.case)) for sample in samples],
        }
    )
    recompute_metrics(log)
    with explain_write_errors(path, "what was answered is kept"):
        path.unlink(missing_ok=True)
        write_eval_log(log, str(path), format="eval")


def _sample(sample: ScoredSample, clauses: Clauses, model: str, given: Sequence[Message]) -> EvalSample:
    case = sample.case
    shown = turns(given)
    output = model_output(model, sample)
    return EvalSample(
        id=case.prompt.id,
        epoch=1,
        input=shown,
        target=case.truth.style,
        messages=[*shown, output.message],
        output=output,
        scores={"response": inspect_score(sample, clauses)},
        metadata=case_row(case),
        model_usage={model: model_usage(sample.usage)},
    )
