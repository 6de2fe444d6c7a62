"""Conversations as other people write them: ShareGPT, messages, lists of parts, tool calls -> our turns.

What is left out is noted: other keys of a turn, parts that are no text, what a model answered to the last user turn.
"""

import json
from collections import Counter
from typing import Any

ROLES = {"human": "user", "prompter": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
ROLES |= {"chatgpt": "assistant", "function_call": "assistant", "tool_call": "assistant", "developer": "system"}
ROLES |= {"observation": "tool", "function": "tool", "function_response": "tool", "ipython": "tool"}
NAMES = {"role": ("role", "from"), "content": ("content", "value")}


def read_turns(value: Any, left: Counter[str]) -> Any:
    """A list of turns as {role, content}, up to the last user turn; the schema refuses what else comes back."""
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value):
        return value
    turns = [_turn(turn, left) for turn in value]
    end = max((place for place, turn in enumerate(turns, start=1) if turn.get("role") == "user"), default=0)
    if end and end < len(turns):
        left["conversations cut behind the last user turn"] += 1
        turns = turns[:end]
    return turns


def _turn(turn: dict[str, Any], left: Counter[str]) -> dict[str, Any]:
    names = {ours: next((name for name in known if name in turn), None) for ours, known in NAMES.items()}
    turned = {ours: turn[name] for ours, name in names.items() if name is not None}
    if isinstance(role := turned.get("role"), str):
        turned["role"] = ROLES.get(role, role)
    if isinstance(content := turned.get("content"), list):
        turned["content"] = _parts(content, left)
    calls = turn.get("tool_calls")
    if calls and not turned.get("content"):
        turned["content"] = json.dumps(calls, ensure_ascii=False)
    for key in turn.keys() - set(names.values()) - ({"tool_calls"} if calls else set()):
        left[f"key '{key}' of turns"] += 1
    return turned


def _parts(parts: list[Any], left: Counter[str]) -> str:
    """The text parts, a line each; others are noted by their type."""
    texts = []
    for part in parts:
        text = part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else None
        if isinstance(text, str):
            texts.append(text)
        else:
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            left[f"parts of type '{kind}'"] += 1
    return "\n".join(texts)
