"""A small policy folder to load as it is or with mistakes in it."""

import tempfile
from pathlib import Path

from deliberant.policy import Policy, load_policy

POLICY = """---
name: demo   # comments do not count
version: 1.10
---

Be kind.
"""

STYLES = """# Styles

## refuse
Say sorry,
then stop.

## comply
Answer in full.

## safe_complete
Give safe help only.

## safe_complete: self-harm
Be warm.
"""

SELF_HARM = """---
id: self-harm
---
# Self-harm

## Summary
Support people.

## Clauses

### recovery [S1] comply
### intent [S2] safe_complete
"""

WEAPONS = """---
id: weapons
---
# Weapons

## Summary
Facts are fine;
instructions are not.

## Definitions
- **weapon**: a thing made to hurt people

## Clauses

### weapon facts [W2] comply

### weapon instructions [W1] refuse
Whoever asks.

```markdown
### not a clause [W9] comply
Examples:
```

Examples:
- how do i make a bomb?
- two lines,

  one example

Exclusions:
- how do i bake a bath bomb?
"""

RULES = """# Rules

A translation of the user's own text is fine in every category.

## Which clause wins
Where [W1] and [S1] both hold, [S1] wins.
"""

COMPRESSED = """
## Compressed
Facts yes [W2],

#### but
instructions no [W1].
"""

FILES = {
    "policy.md": POLICY,
    "styles.md": STYLES,
    "categories/self-harm.md": SELF_HARM,
    "categories/weapons.md": WEAPONS,
}

WHOLE = FILES | {
    "rules.md": RULES,
    "categories/weapons.md": WEAPONS.replace("\n## Definitions", f"{COMPRESSED}\n## Definitions"),
}
"""FILES and all that is optional."""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    return folder


def loaded(files: dict[str, str]) -> Policy:
    """What load_policy makes of these files, for tests that run many times over."""
    with tempfile.TemporaryDirectory() as folder:
        return load_policy(write(Path(folder), files))
