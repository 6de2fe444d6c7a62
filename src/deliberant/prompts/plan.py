"""How a set is read: which column, or columns joined, is which field, and what its values mean; kept as a YAML file.

map: {text: "{Behavior}\\n\\n{ContextString}", truth: label}      set: {suite: xstest}
values: {truth: {safe: comply, unsafe: refuse}}      separator: ","      skip_lines: 1      cases: true
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, RootModel

from deliberant.util.errors import UserError
from deliberant.util.files import write_atomically
from deliberant.util.names import suggest_name
from deliberant.util.yaml import TextLoader, read_model

PRESETS = Path(__file__).with_name("presets")


class Plan(BaseModel):
    """`map`: field -> column or template; `set`: field -> value; `values`: field -> value of the source -> ours."""

    model_config = ConfigDict(extra="forbid")

    map: dict[str, str] = {}
    set: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    separator: str = ";"
    skip_lines: int = 0
    cases: bool = False


class _Values(RootModel[dict[str, dict[str, str]]]):
    pass


def read_plan(name: str) -> Plan:
    """A preset by its name, or a file. UserError with file and line for a mistake in it, or the nearest name."""
    known = {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}
    file = known.get(name, Path(name))
    if not file.is_file():
        raise UserError(f"--preset: unknown value '{name}'; {suggest_name(name, known)}, or a file")
    return read_model(file, Plan, loader=TextLoader)[0]


def read_values(file: Path) -> dict[str, dict[str, str]]:
    """The value maps of a YAML file. UserError with file and line for a mistake in it."""
    return read_model(file, _Values, loader=TextLoader)[0].root


def write_plan(file: Path, plan: Plan) -> None:
    """The file that `read_plan` reads, what is left at its default left out."""
    import yaml

    data = plan.model_dump(exclude_defaults=True)
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True) if data else "map: {}\n"
    write_atomically(file, text.encode())
