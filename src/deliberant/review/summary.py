"""What the labels of a run amount to so far, in counts."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from deliberant.review.labels import Label, select_current, select_latest
from deliberant.review.samples import Samples


def summary(samples: Samples, labels: Sequence[Label]) -> dict[str, Any]:
    """Labels in all and by reviewer. Those that count are the last of a reviewer for a sample of this run's text."""
    counted, stale = select_current(labels, samples)
    decisions: dict[str, set[str]] = {}
    for label in counted.values():
        decisions.setdefault(label.sample_id, set()).add(label.decision)
    several = Counter(label.sample_id for label in counted.values())
    return {
        "samples": len(samples.entries),
        "labelled": len(decisions),
        "labels": len(labels),
        "replaced": len(labels) - len(select_latest(labels)),
        "of_other_texts": stale,
        "read_by_several": sum(n > 1 for n in several.values()),
        "conflicting": sum(len(each) > 1 for each in decisions.values()),
        "reviewers": {
            name: {
                **{word: sum(label.decision == word for label in mine) for word in ("accept", "reject")},
                "clause_named": sum(label.clause is not None for label in mine),
                "commented": sum(bool(label.comment) for label in mine),
                "not_blind": sum(label.blind is False for label in mine),
            }
            for name in sorted({label.reviewer for label in counted.values()})
            if (mine := [label for label in counted.values() if label.reviewer == name])
        },
    }
