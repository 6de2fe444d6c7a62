"""The built-in world: prompts, policy and base model that show every mechanism for real on a laptop, in minutes."""

from pathlib import Path

POLICY_DIR = Path(__file__).parent / "policy"
MODEL_DIR = Path(__file__).parent / "model"

__all__ = ["MODEL_DIR", "POLICY_DIR"]
