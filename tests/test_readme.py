"""Every command in the README and the docs works, and what they say of the code is so.

Commands run in a workspace that looks like the repository: `recipes/micro.yaml` there is the world of tests/world.py
(the same verbs in seconds), `runs/micro-1a2b3c4d` its run. A command that no check below knows is a failure.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deliberant.cli import app as cli
from deliberant.micro import POLICY_DIR, pretrain
from deliberant.micro.sets import UNSEEN_SHARE, prompt_sets
from deliberant.micro.world import kinds, language, topics
from deliberant.policy import load_policy
from deliberant.prompts import read_cases, read_prompts
from deliberant.run.loader import load_recipe
from tests.cli.test_help import verbs
from tests.tiny import make_chain

ROOT = Path(__file__).parents[1]
PAGES = (
    *("README.md", "docs/running.md", "docs/prompts.md", "docs/models.md", "docs/results.md", "docs/micro.md"),
    "docs/files.md",
    "docs/policies.md",
)
ANY_RUN = re.compile(r"runs/(micro|mine)-[0-9a-f]{8}")
HERE = re.compile(r"<<'(\w+)'$")
OWN_MODEL = "hf:Qwen/Qwen2.5-0.5B-Instruct"
OWN = {"\n": "[", "[": "R", "R": "12", "]": "</think>", "</think>": "abcdefgh<|im_end|>"}
OWN |= {**dict.fromkeys("12", "]"), **dict.fromkeys("abcdefgh", "<|im_end|>")}
"""Stands in for that model: it goes on in a block that is opened for it, and cites one of the policy's clauses."""
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [body for marked, body in FENCE.findall(text) if marked == language]


def commands() -> Iterator[str]:
    """Every command of the pages, comments and `time` removed, in the order in which a reader meets them."""
    for page in PAGES:
        for block in blocks(page, "bash"):
            lines = iter(block.splitlines())
            for line in lines:
                if end := HERE.search(line):
                    yield "\n".join([line, *iter(lines.__next__, end[1]), end[1]])
                elif words := shlex.split(line, comments=True):
                    plain = ">" in words
                    yield line if plain else shlex.join(words[1:] if words[0] == "time" else words)


class Workspace:
    """A copy of the repository's outside, with our own world inside. `folder` is the working directory."""

    def __init__(self, folder: Path, world: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        shutil.copytree(world, folder / "recipes")
        (folder / "src/deliberant/micro").mkdir(parents=True)
        (folder / "recipes/policy").rename(folder / "src/deliberant/micro/policy")
        recipe = (folder / "recipes/recipe.yaml").read_text(encoding="utf-8")
        recipe = recipe.replace("name: tiny\npolicy: policy", "name: micro\npolicy: ../src/deliberant/micro/policy")
        (folder / "recipes/micro.yaml").write_text(recipe, encoding="utf-8")
        (folder / "benchmarks").symlink_to(ROOT / "benchmarks")

    def named(self, command: str) -> str:
        """The command with the runs of this workspace in place of the page's: of each recipe the first one made."""

        def first(match: re.Match[str]) -> str:
            runs = (self.folder / "runs").glob(f"{match[1]}-*")
            return f"runs/{min(runs, key=lambda path: (path / 'run.json').stat().st_mtime_ns).name}"

        return ANY_RUN.sub(first, command)

    def deliberant(self, *arguments: str) -> str:
        """One `deliberant` command in this process; returns its stdout."""
        result = CliRunner().invoke(cli.app, list(arguments))
        assert result.exit_code == 0, (arguments, result.output, result.exception)
        return result.stdout

    def shell(self, command: str) -> str:
        done = subprocess.run(command, shell=True, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def workspace(world_recipe: Path, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    found = Workspace(tmp_path / "workspace", world_recipe.parent, tiny_llama)
    monkeypatch.chdir(found.folder)
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found


def make_run(workspace: Workspace, command: str) -> None:
    """`make run` is the recipe's run; the reduced form runs it on the world of tests/world.py."""
    assert re.search(r"^run:.*\n\t.*/deliberant run recipes/micro.yaml --jobs 2$", makefile(), re.MULTILINE)
    assert load_recipe(ROOT / "recipes/micro.yaml").name == "micro"
    assert workspace.deliberant("run", "recipes/micro.yaml").endswith("report.html\n")


def activate(workspace: Workspace, command: str) -> None:
    """The environment is where `make` puts it."""
    assert re.search(r"^BIN := \.venv/bin$", makefile(), re.MULTILINE)


def measure(workspace: Workspace, command: str) -> None:
    """On a tiny random model, which fits any policy, and on two cases."""
    arguments = [each for each in shlex.split(command)[1:] if each not in ("build/micro", "200")]
    chosen = [each for each in arguments if each not in ("--model", "--n")]
    shown = workspace.deliberant(*chosen, "--model", str(workspace.model), "--n", "2").splitlines()
    assert len(shown) > 10
    assert "--json" not in chosen or all(json.loads(line)["n"] >= 1 for line in shown)


def train_base(workspace: Workspace, command: str) -> None:
    """With a plan that takes seconds."""
    small = partial(pretrain.Plan, hidden=32, layers=1, heads=2, feed_forward=64, tokens=20_000, batch_tokens=2048)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrain, "Plan", small)
        workspace.deliberant(*shlex.split(command)[1:])
    assert (workspace.folder / "build/micro/model.safetensors").exists()


def benchmark(workspace: Workspace, command: str) -> None:
    """One seed for three."""
    shown = workspace.shell(command.replace("python ", f"{sys.executable} ").replace("--seeds 0 1 2", "--seeds 0"))
    wanted = {
        "--seeds 0 1 2 --flip": "Follow the new style, all of these clauses: ",
        "incremental": "figures within the full run's interval",
    }
    assert next((words for part, words in wanted.items() if part in command), "| sft+rl |") in shown


def own_recipe(workspace: Workspace, command: str) -> None:
    """With models set by hand for the one of the Hub."""
    workspace.shell(command)
    make_chain(workspace.folder / "mine/model", OWN)
    make_chain(workspace.folder / "mine/judge", {"\n": "0", "0": "<|im_end|>"})
    recipe = workspace.folder / "mine/recipe.yaml"
    text = recipe.read_text(encoding="utf-8")
    assert text.count(OWN_MODEL) == 2
    text = text.replace(OWN_MODEL, "model", 1).replace(OWN_MODEL, "judge")
    recipe.write_text(text.replace("384", "16").replace("192", "8"), encoding="utf-8")


def examine(workspace: Workspace, command: str) -> None:
    """Probes of models set by hand, of whom the judge cannot tell right from wrong, which is a warning."""
    assert "closed their reasoning" in workspace.deliberant(*shlex.split(command)[1:])


def own_policy(workspace: Workspace, command: str) -> None:
    """A run of an edited policy is another run. Cases stand in a file here, and their truths go with the edit."""
    before = set((workspace.folder / "runs").iterdir())
    cases = (workspace.folder / "recipes/cases.jsonl").read_text(encoding="utf-8")
    flipped = cases.replace('"refuse", "clause": "T1"', '"comply", "clause": "T1"')
    (workspace.folder / "recipes/flipped.jsonl").write_text(flipped, encoding="utf-8")
    workspace.deliberant(*shlex.split(command)[1:], "--set", "prompts.cases=flipped.jsonl")
    assert len(set((workspace.folder / "runs").iterdir()) - before) == 1


def review(workspace: Workspace, command: str) -> None:
    """The page is a server; what people would decide there comes from a file, and calibration reads it later."""
    *arguments, sample, n = shlex.split(command)[1:]
    assert (sample, n) == ("--sample", "200")
    kept = (workspace.folder / arguments[1] / "filter/kept.jsonl").read_text(encoding="utf-8").splitlines()
    labels = [f"{json.loads(line)['id']},accept" for line in kept[:4]]
    (workspace.folder / "labels.csv").write_text("\n".join(["sample_id,decision", *labels]), encoding="utf-8")
    workspace.deliberant(*arguments, "--import", "labels.csv", "--reviewer", "ana")


def write_prompts(workspace: Workspace, command: str) -> None:
    """By a tiny random model, which writes no prompt: everything is asked for, and malformed."""
    arguments = shlex.split(command.replace("hf:Qwen/Qwen3-4B", str(workspace.model)))[1:]
    shown = json.loads(workspace.deliberant(*arguments, "--max-new-tokens", "8", "--json"))["yields"][-1]
    assert shown["asked"] == shown["malformed"] > 0


def view_logs(workspace: Workspace, command: str) -> None:
    """The viewer is a server; what it would list is there and can be read."""
    from inspect_ai.log import list_eval_logs, read_eval_log

    logs = list_eval_logs(shlex.split(command)[-1])
    assert len(logs) == 6 and all(read_eval_log(log).status == "success" for log in logs)


def judge(workspace: Workspace, command: str) -> None:
    """The shipped gate on the tiny world's run, which it may well stop."""
    shutil.copy(ROOT / "recipes/gate.yaml", workspace.folder / "recipes")
    result = CliRunner().invoke(cli.app, shlex.split(command)[1:])
    assert result.exit_code in (0, 1), (result.output, result.exception)
    assert "checks passed" in result.stdout or {check["passed"] for check in json.loads(result.stdout)} <= {True, False}


def inspect_eval(workspace: Workspace, command: str) -> None:
    """The task and the provider, by their registered names; Inspect's mock model stands in for models that cost."""
    inspect = Path(sys.executable).with_name("inspect")
    if "cases=cases.jsonl" in command:
        shutil.copy(workspace.folder / "recipes/cases.jsonl", workspace.folder)
    command = re.sub(r"(openai|anthropic)/\S+", "mockllm/model", command)
    workspace.shell(command.replace("inspect ", f"{inspect} ", 1) + " --display plain")


CHECKS: dict[str, Callable[[Workspace, str], object]] = {
    r"make run": make_run,
    r"cat > mine/recipe\.yaml <<'END'\n.*": own_recipe,
    r"(mkdir|printf|cat) .*mine/.*": lambda workspace, command: workspace.shell(command),
    r"deliberant doctor mine/recipe\.yaml": examine,
    r"source \.venv/bin/activate": activate,
    r"deliberant micro measure.*": measure,
    r"deliberant micro pretrain.*": train_base,
    r"deliberant run recipes/micro.yaml --set policy=my-policy( --from \S+)?": own_policy,
    r"deliberant review .*": review,
    r"deliberant prompts generate .* --with .*": write_prompts,
    r"deliberant results \S+ --gate .*": judge,
    r"deliberant .*": lambda workspace, command: workspace.deliberant(*shlex.split(command)[1:]),
    r"(cp|perl) .*": lambda workspace, command: workspace.shell(command),
    r"python -m benchmarks\.(results|incremental) .*": benchmark,
    r"inspect view .*": view_logs,
    r"inspect eval .*": inspect_eval,
}
"""How a command is checked: the first pattern that matches all of it."""


def check(command: str) -> Callable[[Workspace, str], object] | None:
    return next((found for pattern, found in CHECKS.items() if re.fullmatch(pattern, command, re.DOTALL)), None)


def makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_command_has_a_check() -> None:
    found = list(commands())
    assert len(found) > 25
    assert [command for command in found if check(command) is None] == []
    assert check("rm -r runs") is None


def test_every_verb_has_an_example() -> None:
    from typer.main import get_command

    pages = (*PAGES, "docs/evaluation.md")  # whose commands tests of their own run
    text = "\n".join(block for page in pages for block in blocks(page, "bash"))
    groups = {("policy",), ("prompts",), ("prompts", "generate"), ("micro",), ("judge",), ("data",), ()}
    for path in set(verbs(get_command(cli.app))) - groups:
        assert f"deliberant {' '.join(path)}" in text, path


@pytest.mark.slow
def test_every_command_works(workspace: Workspace) -> None:
    for command in commands():
        found = check(command)
        assert found is not None, f"no check for: {command}"
        found(workspace, workspace.named(command))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


def test_the_prompts_and_the_roles_that_are_shown_are_valid(tmp_path: Path) -> None:
    [prompts] = blocks("docs/prompts.md", "json")
    for name, line in zip(("train", "helpful", "cases"), prompts.splitlines(), strict=True):
        (tmp_path / f"{name}.jsonl").write_text(line + "\n", encoding="utf-8")
    assert [each.id for each in read_prompts(tmp_path / "train.jsonl", ["weapons"])] == ["w1"]
    assert [each.id for each in read_prompts(tmp_path / "helpful.jsonl", ["weapons"])] == ["h1"]
    assert [each.prompt.id for each in read_cases(tmp_path / "cases.jsonl", ["weapons"])] == ["c1"]
    roles, budget = blocks("docs/models.md", "text")
    (tmp_path / "my-prices.yaml").write_text("models: {}", encoding="utf-8")
    common = "name: mine\npolicy: default\nprompts: {train: train.jsonl, helpful: helpful.jsonl, cases: cases.jsonl}\n"
    (tmp_path / "recipe.yaml").write_text(common + roles + budget, encoding="utf-8")
    loaded = load_recipe(tmp_path / "recipe.yaml")
    assert loaded.judge.filter.templates == "safeguard" and loaded.budget.dollars == 20


def test_links_lead_somewhere() -> None:
    for page in ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))):
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:|#)([\w/.-]+)", text):
            assert ((ROOT / page).parent / link).exists(), (page, link)


def test_rooms_import_downwards_as_the_page_lists_them() -> None:
    """Save that run/ makes the built-in world's prompts, when a recipe asks for them."""
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^    (\w+)/ ", text.partition("## Rooms")[2].partition("\n## ")[0], re.MULTILINE)
    package = ROOT / "src/deliberant"
    assert set(rooms) == {path.parent.name for path in package.glob("*/__init__.py")}
    for file in package.glob("*/**/*.py"):
        room = file.relative_to(package).parts[0]
        for other in re.findall(
            r"^\s*(?:from|import) deliberant\.(\w+)", file.read_text(encoding="utf-8"), re.MULTILINE
        ):
            if other in rooms and (room, other) != ("run", "micro"):
                assert rooms.index(other) <= rooms.index(room), (file, other)


def test_what_the_page_on_the_built_in_world_says() -> None:
    text = " ".join((ROOT / "docs/micro.md").read_text(encoding="utf-8").split())
    plan = pretrain.Plan()
    shape = [f"{name} {getattr(plan, name)}" for name in ("hidden", "layers", "heads", "feed_forward", "tokens")]
    shape += [f"batch_tokens {plan.batch_tokens}", f"seed {plan.seed}"]
    assert ", ".join(shape) in text
    for row, share in pretrain.SCHEDULE[-1][1].items():
        assert re.search(rf"\| {row} \| [^|]+ \| {share:.2f} \|", text), (row, share)
    for harmful, label in ((True, "harmful"), (False, "harmless")):
        areas = dict.fromkeys(topic.area for topic in topics() if topic.harmful == harmful)
        assert f"| areas, {label} | {', '.join(areas)} |" in text
    named = ", ".join(f"{kind} (harmful areas only)" if kind not in kinds(False) else kind for kind in kinds(True))
    assert f"| kinds | {named} |" in text
    sizes = {sum(topic.area == area for topic in topics()) for area in {topic.area for topic in topics()}}
    assert sizes == {21} and "21 for each area" in text
    asked = sorted(len(spec["asks"]) for spec in language()["kinds"].values())
    assert f"{asked[0]} to {asked[-1]} for each kind" in text
    assert f"| encodings | {', '.join(language()['encoded'])};" in text
    sets = prompt_sets(load_policy(POLICY_DIR), 0)
    for name in ("sft", "rl", "helpful"):
        assert f"| `prompts/{name}.jsonl` | {len(getattr(sets, name))} |" in text
    for suite, size in Counter(case.suite for case in sets.cases).items():
        assert f"| cases, suite `{suite}` | {size} |" in text
    assert UNSEEN_SHARE == 1 / 3 and "a third of the topics of every area" in text
