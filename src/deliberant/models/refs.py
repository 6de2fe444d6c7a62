"""Model references: the one way to name a model, in a recipe and on the command line.

micro                              the built-in model
models/mine                        a folder that transformers can load
hf:org/name  (or bare org/name)    a model on the Hugging Face Hub
vllm:org/name, vllm:/folder        the same, sampled by a `vllm serve` that is started for it
vllm:http://host:8000/v1[#model]   a running server that speaks OpenAI's chat dialect
api:provider/model                 any provider that Inspect knows (https://inspect.aisi.org.uk/providers.html)
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from deliberant.models.checkpoint import model_folder, model_hash
from deliberant.util.errors import RunError, UserError
from deliberant.util.names import suggest_name

Kind = Literal["micro", "folder", "hf", "vllm", "api"]

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_PREFIX = re.compile(r"([a-z]\w*):(.*)", re.DOTALL)
_PLACE = re.compile(r"[./~]")
ADDRESS = ("http://", "https://")
MICRO = Path(__file__).parents[1] / "micro" / "model"
"""The built-in model's weights; its room is above this one."""
SERVER = "openai-api"
"""Inspect's provider for servers that speak OpenAI's dialect; its models are named service/model."""


@dataclass(frozen=True)
class Reference:
    """`name` is what follows the kind: a folder, a Hub id, provider/model, or a server's address."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return self.name if self.kind in ("micro", "folder") else f"{self.kind}:{self.name}"

    @property
    def remote(self) -> bool:
        """Whether it is called, and not loaded into this process."""
        return self.kind in ("api", "vllm")

    @property
    def dated(self) -> bool:
        """Whether the model behind it may change unannounced: a provider's, or a running server's."""
        return self.kind == "api" or self.url is not None

    @property
    def folder(self) -> Path:
        """Where its files are, if they are here and it is no address."""
        return MICRO if self.kind == "micro" else Path(self.name).expanduser()

    @property
    def url(self) -> str | None:
        """The address of a running server; None for anything else."""
        is_server = self.kind == "vllm" and self.name.startswith(ADDRESS)
        return self.name.partition("#")[0].rstrip("/") if is_server else None


def parse_reference(text: str) -> Reference:
    """Read one model reference; nothing is loaded or looked up, save whether a folder is there.

    UserError, in one line: an unknown kind or provider, no such folder, or a bare name that could be a Hub id and a
    provider's model at once.
    """
    if text == "micro":
        return Reference("micro", text)
    if Path(text).expanduser().is_dir():
        return Reference("folder", text)
    if prefixed := _PREFIX.fullmatch(text):
        kind, name = prefixed.groups()
        if kind == "hf":
            return Reference("hf", _check_hub_id(text, name))
        if kind == "vllm":
            served = name.startswith(ADDRESS) or Path(name).expanduser().is_dir()
            return Reference("vllm", name if served else _check_hub_id(text, name))
        if kind == "api":
            return Reference("api", _check_provider(name))
        raise UserError(f"model '{text}': there is no kind '{kind}:'; {suggest_name(kind, ('hf', 'vllm', 'api'))}")
    if not _HUB_ID.fullmatch(text) or _PLACE.match(text):
        raise UserError(f"model '{text}': no such folder; give a folder, hf:org/name, vllm:… or api:provider/model")
    if text.partition("/")[0] in providers():
        raise UserError(f"model '{text}': could be on the Hub or at a provider; write 'hf:{text}' or 'api:{text}'")
    return Reference("hf", text)


def identify(reference: Reference, date: str) -> str:
    """What the rows of a model are named by, without a download: a hash of its files, the Hub's commit, or, for a
    provider or a running server, the reference and the `date` on which the run began (such models change unannounced).

    UserError: the Hub has no such model. RunError: the Hub cannot be reached, and no copy is here.
    """
    if reference.dated:
        return f"{reference}@{date}"
    if reference.folder.is_dir():
        return model_hash(model_folder(reference.folder))
    return _commit(reference.name)


@cache
def providers() -> tuple[str, ...]:
    """The names in Inspect's registry, e.g. openai, anthropic, google, ollama."""
    import inspect_ai.model  # noqa: F401 (fills the registry)
    from inspect_ai._util.registry import registry_find, registry_info, registry_unqualified_name

    apis = registry_find(lambda info: info.type == "modelapi")
    return tuple(sorted({registry_unqualified_name(registry_info(api)) for api in apis} - {"none"}))


def _check_hub_id(text: str, name: str) -> str:
    if Path(name).is_dir():
        raise UserError(f"model '{text}': '{name}' is a folder; write it without 'hf:'")
    if not _HUB_ID.fullmatch(name) or _PLACE.match(name):
        raise UserError(f"model '{text}': '{name}' is neither a folder here nor an org/name of the Hub")
    return name


def _check_provider(name: str) -> str:
    provider, _, model = name.partition("/")
    if provider not in providers():
        raise UserError(f"model 'api:{name}': no provider '{provider}'; {suggest_name(provider, providers())}")
    if not model or (provider == SERVER and not all(model.partition("/")[::2])):
        form = f"api:{SERVER}/service/model" if provider == SERVER else f"api:{provider}/model"
        raise UserError(f"model 'api:{name}': names no model; write {form}")
    return name


def _commit(name: str) -> str:
    """The Hub's newest commit of a model, or, where the Hub cannot be reached, that of the copy here."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return str(HfApi().model_info(name, timeout=20).sha)
    except RepositoryNotFoundError as error:
        raise UserError(
            f"model 'hf:{name}': the Hub has no such model, or it is private and HF_TOKEN is not set"
        ) from error
    except (OSError, HTTPError, HfHubHTTPError) as error:
        try:
            return Path(snapshot_download(name, local_files_only=True)).name
        except LocalEntryNotFoundError:
            reason = str(error).partition("\n")[0]
            raise RunError(f"model 'hf:{name}': the Hub cannot be reached ({reason}), and no copy is here") from error
