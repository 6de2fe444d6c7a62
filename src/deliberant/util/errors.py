"""The error hierarchy: one base, one class for the user's mistakes, one for a stage that had to stop."""


class DeliberantError(Exception):
    """Base of every error this package raises on purpose; the CLI prints its one line and exits 1."""


class UserError(DeliberantError, ValueError):
    """A mistake in what the user gave us (file, line, remedy in the message); the CLI exits 2."""


class RunError(DeliberantError, RuntimeError):
    """A run that can not go on: a full disk, a corrupt artifact, too many unscored verdicts."""
