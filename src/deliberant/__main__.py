"""The `deliberant` command, also as `python -m deliberant`. Ctrl-C during its imports is one line, too."""

from deliberant.cli.interrupts import exit_stopped
from deliberant.util.processes import end


def main() -> None:
    """Run the command line; exits."""
    try:
        from deliberant.cli.app import app

        app(prog_name="deliberant")
    except KeyboardInterrupt:
        exit_stopped()
    except BaseException as error:
        end(error)
        raise


if __name__ == "__main__":
    main()
