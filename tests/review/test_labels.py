import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliberant.review import Labels, Samples, new_label, read_labels, select_current, select_latest, summary
from deliberant.util.errors import RunError, UserError
from tests.review.reviewed import label, labelled, reviewed


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(reviewed(tmp_path).root)


def test_a_row_is_what_files_md_says(samples: Samples) -> None:
    labelled(samples, "hearth#1 reject F2")
    [row] = [json.loads(line) for line in (samples.root / "review" / "labels.jsonl").read_text().splitlines()]
    assert row.pop("time").endswith("+00:00")
    assert row == {
        "sample_id": "hearth#1",
        "reviewer": "ana",
        "decision": "reject",
        "clause": "F2",
        "comment": "",
        "blind": None,
        "policy": samples.policy.hash,
        "sample": samples.by_id["hearth#1"].hash,
    }


def test_the_last_label_of_a_reviewer_counts_and_none_is_lost(samples: Samples) -> None:
    labels = labelled(samples, "hearth#0 accept, hearth#1 reject, hearth#0 reject")
    labels = labelled(samples, "hearth#0 accept", "ben")
    assert len(labels) == 4
    assert {key: each.decision for key, each in select_latest(labels).items()} == {
        ("hearth#0", "ana"): "reject",
        ("hearth#1", "ana"): "reject",
        ("hearth#0", "ben"): "accept",
    }
    counts = summary(samples, labels)
    assert (counts["labelled"], counts["labels"], counts["replaced"], counts["conflicting"]) == (2, 4, 1, 1)
    assert counts["reviewers"]["ana"]["reject"] == 2


def test_labels_of_another_text_do_not_count(samples: Samples) -> None:
    good = label(samples, "hearth#0", "accept")
    others = [good.model_copy(update={"sample": "0" * 16, "reviewer": "b"}), good.model_copy(update={"policy": "x"})]
    assert select_current([good, others[0]], samples) == ({("hearth#0", "ana"): good}, 1)
    assert select_current(others, samples) == ({}, 2)


@pytest.mark.parametrize("cut", [1, 20, 2])
def test_a_torn_row_neither_counts_nor_spoils_the_next(samples: Samples, cut: int) -> None:
    labelled(samples, "hearth#0 accept, hearth#1 reject")
    path = Labels(samples).path
    path.write_bytes(path.read_bytes()[:-cut])
    assert [each.sample_id for each in Labels(samples).read()] == ["hearth#0"]
    assert [each.sample_id for each in labelled(samples, "stove#0 accept")] == ["hearth#0", "stove#0"]


def test_a_full_disk_stores_nothing_and_says_so(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(samples, "hearth#0 accept")
    before = Labels(samples).path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match=r"labels.jsonl: cannot write \(No space left"):
            labelled(samples, "hearth#1 reject")
    assert Labels(samples).path.read_bytes() == before


def test_an_edited_file_is_an_error_with_its_line(samples: Samples) -> None:
    labelled(samples, "hearth#0 accept, hearth#1 reject")
    path = Labels(samples).path
    path.write_text(path.read_text().replace('"reject"', '"rejct"'))
    with pytest.raises(UserError, match=r"labels.jsonl:2: decision: unknown value 'rejct'; did you mean 'reject'"):
        Labels(samples).read()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("sample_id,decision\nhearth#0,accept\nnope,accept\n", r":3: sample 'nope' is not in"),
        ("sample_id,decision\nhearth#0,yes\n", r":2: decision: unknown value 'yes'"),
        ("sample_id\nhearth#0\n", r":1: has no column decision"),
        ("sample_id,decision,clause\nhearth#0,accept,F7\n", r":2: clause 'F7' is not in the policy; did you mean"),
        ("sample_id,decision,policy\nhearth#0,accept,abc\n", r":2: is about another text"),
        ("sample_id,decision,blind\nhearth#0,accept,perhaps\n", r":2: blind: unknown value 'perhaps'"),
        ("sample_id,decision,time\nhearth#0,accept,x\n", r":2: time: 'x' is no ISO 8601 time; write it as 2026-"),
        ("sample_id,decision,reviewer\nhearth#0,accept,a\x07b\n", r":2: reviewer: a reviewer's name is"),
    ],
)
def test_a_mistake_in_a_file_of_labels_is_named(samples: Samples, tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=what):
        read_labels(file, samples, "ana")


def test_a_stand_in_that_is_no_name_matters_only_where_it_stands_in(samples: Samples, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("sample_id,decision,reviewer\nhearth#0,accept,ana\n")
    assert [label.reviewer for label in read_labels(file, samples, "x" * 101).labels] == ["ana"]
    file.write_text("sample_id,decision\nhearth#0,accept\n")
    with pytest.raises(UserError, match=r"labels\.csv:2: reviewer: a reviewer's name is 1 to 100 printable letters"):
        read_labels(file, samples, "x" * 101)


@pytest.mark.parametrize("clause", [5, ["F1"], {"F1": 1}, True])
def test_a_clause_that_is_no_text_is_named(samples: Samples, tmp_path: Path, clause: Any) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(json.dumps({"sample_id": "hearth#0", "decision": "accept", "clause": clause}) + "\n")
    with pytest.raises(UserError, match=r"labels\.jsonl:1: clause: input should be a valid string"):
        read_labels(file, samples, "ana")


def test_a_table_without_a_needed_column_is_named_though_it_has_no_rows(samples: Samples, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("sample_id,verdict\n")
    with pytest.raises(UserError, match=r"labels\.csv:1: has no column decision; each row needs "):
        read_labels(file, samples, "ana")


def test_a_file_can_be_imported_twice_and_an_export_again(samples: Samples, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("sample_id,decision,clause,mood\nhearth#0,accept,,good\nhearth#1,reject,F2,bad\n")
    found = read_labels(file, samples, "ana")
    assert found.unused == ["mood"]
    store = Labels(samples)
    assert store.add(found.labels) == (2, 0)
    assert store.add(read_labels(file, samples, "ana").labels) == (0, 0)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(store.path.read_bytes())
    assert store.add(read_labels(copy, samples, "nobody").labels) == (0, 0)
    assert len(store.read()) == 2


def test_an_older_export_undoes_nothing(samples: Samples, tmp_path: Path) -> None:
    labelled(samples, "hearth#0 accept")
    store, monday = Labels(samples), tmp_path / "monday.jsonl"
    monday.write_bytes(store.path.read_bytes())
    labelled(samples, "hearth#0 reject")
    assert store.add(read_labels(monday, samples, "nobody").labels) == (0, 0), "all within a second"
    for time, decision, expected in (
        ("2000-01-01", "accept", (0, 1)),
        ("2000-01-01T00:00:00", "reject", (0, 0)),
        ("2999-01-02T01:00:00+02:00", "accept", (1, 0)),
        ("2999-01-01T22:00:00Z", "reject", (0, 1)),
        ("2999-01-01T23:30:00", "reject", (1, 0)),
    ):
        row = {"sample_id": "hearth#0", "decision": decision, "time": time}
        (tmp_path / "row.jsonl").write_text(json.dumps(row) + "\n")
        assert store.add(read_labels(tmp_path / "row.jsonl", samples, "ana").labels) == expected, time
    assert [each.decision for each in store.read()] == ["accept", "reject", "accept", "reject"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(comment=st.text(max_size=50), reviewer=st.text(max_size=12))
def test_any_comment_comes_back_or_is_refused(samples: Samples, comment: str, reviewer: str) -> None:
    given: dict[str, Any] = {"reviewer": reviewer, "decision": "accept", "comment": comment}
    try:
        made = new_label(samples, samples.by_id["hearth#0"], given, "here")
    except UserError:
        assert not reviewer.strip() or not reviewer.isprintable()
        return
    store = Labels(samples)
    store.append([made])
    assert store.read()[-1] == made and made.comment == comment
