"""The error hierarchy: one base, one class for the user's mistakes, one for a stage that had to stop."""


class DeliberantError(Exception):
    """Base of every error this package raises on purpose; the CLI prints its one line and exits 1."""


class UserError(DeliberantError, ValueError):
    """A mistake in what the user gave us (file, line, remedy in the message); the CLI exits 2."""


class RunError(DeliberantError, RuntimeError):
    """A run that cannot go on: a full disk, a corrupt artifact, too many unscored verdicts."""


TRAIN = ("accelerate", "peft", "safetensors", "torch", "transformers", "trl")
"""The packages of the extra `train`."""


def explain_not_installed(error: ModuleNotFoundError) -> UserError:
    """One line for a package of the extra `train` that is not there; any other error is raised again."""
    if (error.name or "").partition(".")[0] not in TRAIN:
        raise error
    return UserError(
        f"{error.name} is not installed, and models in this process and training need it; pip install "
        "'deliberant[train]', or name a model at a provider (api:…) or on a server (vllm:http://…)"
    )
