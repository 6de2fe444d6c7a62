"""`python -m deliberant` is the `deliberant` command."""

from deliberant.cli import app

if __name__ == "__main__":
    app(prog_name="deliberant")
