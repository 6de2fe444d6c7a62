"""How a set is read: which column, or columns joined, is which field, and what its values mean; kept as a YAML file.

map: {text: "{Behavior}\\n\\n{ContextString}", truth: label}      set: {suite: xstest}
values: {truth: {safe: comply, unsafe: refuse}}      separator: ","      skip_lines: 1      cases: true
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from deliberant.util.errors import UserError
from deliberant.util.files import write_atomically
from deliberant.util.names import nearest
from deliberant.util.yaml import mistaken, parsed

PRESETS = Path(__file__).with_name("presets")


class Plan(BaseModel):
    """`map`: field -> column or template; `set`: field -> value; `values`: field -> value of the source -> ours."""

    model_config = ConfigDict(extra="forbid", strict=True)

    map: dict[str, str] = {}
    set: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    separator: str = ";"
    skip_lines: int = 0
    cases: bool = False


def read_plan(name: str) -> Plan:
    """A preset by its name, or a file. UserError with file and line for a mistake in it, or the nearest name."""
    known = {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}
    file = known.get(name, Path(name))
    if not file.is_file():
        raise UserError(f"--preset: unknown value '{name}'; {nearest(name, known)}, or a file")
    return _model(file, Plan)


def read_values(file: Path) -> dict[str, dict[str, str]]:
    """The value maps of a YAML file. UserError with file and line for a mistake in it."""
    return _model(file, Plan, "values").values


def write_plan(file: Path, plan: Plan) -> None:
    """The file that `read_plan` reads, what is left at its default left out."""
    import yaml

    data = plan.model_dump(exclude_defaults=True)
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True) if data else "map: {}\n"
    write_atomically(file, text.encode())


def _model(file: Path, model: type[Plan], within: str | None = None) -> Plan:
    try:
        data, places = parsed(file, file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as UTF-8 text ({error}); check the path") from None
    data = _texts(data or {})
    try:
        return model.model_validate({within: data} if within else data)
    except ValidationError as error:
        raise mistaken(
            error, model, {(within, *key) if within and key else key: at for key, at in places.items()}
        ) from None


def _texts(value: Any) -> Any:
    """Keys and values of maps as texts: YAML takes `no`, `1` and `true` for something else."""
    if not isinstance(value, dict):
        return value
    shown = {str(key).lower() if isinstance(key, bool) else str(key): _texts(each) for key, each in value.items()}
    plain = {name: each for name, each in shown.items() if name in ("skip_lines", "cases")}
    return {
        name: str(each) if isinstance(each, (int, float)) and name not in plain else each
        for name, each in shown.items()
    }
