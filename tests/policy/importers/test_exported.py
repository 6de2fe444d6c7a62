import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from deliberant.policy import Policy, print_policy
from deliberant.policy.importers import Imported, Wishes, export_policy, import_policy, save_policy
from deliberant.util.errors import UserError
from tests.policy.folders import WHOLE, loaded
from tests.policy.test_printer import policies


def imported(folder: Path, text: str) -> Imported:
    file = folder / "policy.txt"
    file.write_bytes(text.encode())
    return import_policy(file)


@settings(max_examples=60, deadline=None)
@given(policies())
def test_what_is_exported_is_imported_as_it_was(tmp_path_factory: pytest.TempPathFactory, policy: Policy) -> None:
    found = imported(tmp_path_factory.mktemp("single"), export_policy(policy))
    assert (found.policy, found.policy.hash, found.warnings) == (policy, policy.hash, ())


@pytest.mark.parametrize(
    "intro",
    [
        "# STYLES\n\n## refuse\nno",
        "\\# x\n  \\\\# y",
        "Version: 2",
        "# CATEGORY a: b",
        "```\n# code\n```",
        "#tag",
        "\\#tag",
        "",
    ],
)
def test_an_introduction_that_looks_like_the_file_survives(tmp_path: Path, intro: str) -> None:
    policy = replace(loaded(WHOLE), intro=intro)
    assert imported(tmp_path, export_policy(policy)).policy == policy


def test_an_order_that_names_do_not_have_is_kept(tmp_path: Path) -> None:
    policy = loaded(WHOLE)
    policy = replace(policy, categories=policy.categories[::-1])
    found = imported(tmp_path, export_policy(policy)).policy
    save_policy(found, tmp_path / "saved")
    assert found == policy == loaded(print_policy(found))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("# STYLES\n\n## refuse", "# STYLES\n\n## refuze", "did you mean 'refuse'"),
        ("### W1: weapon instructions", "### weapon instructions", "lacks an id such as"),
        ("Version: 1.10", "", "no line `Version: ...`"),
        ("# RULES", "# ODD", "section 'ODD' does not belong in an exported policy"),
        ("## SUMMARY", "## SUMMERY", "did you mean 'Summary'"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = export_policy(loaded(WHOLE))
    with pytest.raises(UserError, match=words) as caught:
        imported(tmp_path, text.replace(old, new, 1))
    assert re.match(r"\S+/policy\.txt:\d+: [^\n]+; [^\n]+\Z", str(caught.value))


def test_an_exported_file_cut_anywhere_is_an_error_or_counts_what_is_left(tmp_path: Path) -> None:
    text = export_policy(loaded(WHOLE))
    for end in range(0, len(text), 17):
        try:
            found = imported(tmp_path, text[:end])
        except UserError as error:
            assert re.match(r"\S+/policy\.txt:\d+: [^\n]+; [^\n]+\Z", str(error)), str(error)
        else:
            assert all(count.found == count.imported for count in found.counts)


def test_a_style_option_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text(export_policy(loaded(WHOLE)))
    with pytest.raises(UserError, match="has its own styles"):
        import_policy(tmp_path / "x.md", Wishes(style="refuse"))


def test_a_policy_is_saved_whole_and_never_over_another(tmp_path: Path) -> None:
    policy = loaded(WHOLE)
    save_policy(policy, tmp_path / "new")
    with pytest.raises(UserError, match="is not empty"):
        save_policy(policy, tmp_path / "new")
    broken = replace(policy, intro="trailing blanks \nare lost")
    with pytest.raises(UserError, match="does not read back"):
        save_policy(broken, tmp_path / "other")
    broken = replace(policy, rules="# Rules")
    with pytest.raises(UserError, match=r"other/rules\.md:3: a second title.*nothing was written"):
        save_policy(broken, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]
