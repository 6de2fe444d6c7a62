"""The `deliberant` command, also as `python -m deliberant`. Ctrl-C during its imports is one line, too."""

import sys


def main() -> None:
    """Run the command line; exits."""
    try:
        from deliberant.cli import app

        app(prog_name="deliberant")
    except KeyboardInterrupt:
        print("stopped; the same command resumes", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
