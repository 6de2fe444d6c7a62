"""The one door: a reference and a role in, a sampler out."""

from typing import Any

from deliberant.models.refs import Reference, parse_reference
from deliberant.models.types import POLICY_ROLES, Reasoning, Role, Sampler
from deliberant.util.errors import explain_not_installed


def open_model(
    reference: str | Reference, role: Role, reasoning: Reasoning = "native", identity: str | None = None, **options: Any
) -> Sampler:
    """The model of that name as a sampler; weights are loaded, or a server called, when first needed.

    `identity`: what names its rows, where the caller knows it. `options` are those of `RemoteSampler` for providers and
    servers, of `LocalSampler.load` for weights, which a Hub id downloads if need be. UserError: no such model, it
    cannot be loaded, or torch or transformers is not installed.
    """
    if isinstance(reference, str):
        reference = parse_reference(reference)
    if reference.remote:
        from deliberant.models.remote import RemoteSampler

        strict = role in POLICY_ROLES and reasoning != "off"
        return RemoteSampler(reference, identity or str(reference), reasoning, strict, **options)
    try:
        from deliberant.models.local.sampler import LocalSampler
    except ModuleNotFoundError as error:
        raise explain_not_installed(error) from error

    return LocalSampler.load(reference.folder, identity=identity, **options).as_role(role, reasoning)
