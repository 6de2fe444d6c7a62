"""The one door: a reference and a role in, a sampler out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deliberant.models.checkpoint import model_folder
from deliberant.models.refs import MICRO, Reference, parse_reference
from deliberant.models.types import POLICY_ROLES, Reasoning, Role, Sampler
from deliberant.util.errors import not_installed

if TYPE_CHECKING:
    from deliberant.models.local.sampler import LocalSampler


def open_model(
    reference: str | Reference, role: Role, reasoning: Reasoning = "native", identity: str | None = None, **options: Any
) -> Sampler:
    """The model of that name as a sampler; weights are loaded, or a server called, when first needed.

    `identity`: what names its rows, where the caller knows it. `options` are those of `RemoteSampler` for providers and
    servers, of `LocalSampler.load` for weights. UserError: no such model, or it cannot be loaded.
    """
    if isinstance(reference, str):
        reference = parse_reference(reference)
    if reference.remote:
        from deliberant.models.remote import RemoteSampler

        strict = role in POLICY_ROLES and reasoning != "off"
        return RemoteSampler(reference, identity or str(reference), reasoning, strict, **options)
    return open_local(reference, identity, **options).as_role(role, reasoning)


def open_local(reference: Reference, identity: str | None = None, **options: Any) -> "LocalSampler":
    """A model in this process: the built-in one, a folder, or a snapshot of the Hub, downloaded if need be.

    UserError: torch or transformers is not installed.
    """
    try:
        from deliberant.models.local.sampler import LocalSampler
    except ModuleNotFoundError as error:
        raise not_installed(error) from error

    folder = MICRO if reference.kind == "micro" else model_folder(Path(reference.name).expanduser())
    if identity is not None:
        options["identity"] = identity
    return LocalSampler.load(folder, **options)
