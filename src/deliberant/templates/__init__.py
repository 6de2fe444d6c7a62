"""Every prompt file, in folders by name, and their loader."""

from deliberant.templates.loader import Templates, fill, placeholders

__all__ = ["Templates", "fill", "placeholders"]
