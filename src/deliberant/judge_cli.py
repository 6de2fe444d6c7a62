"""The `deliberant judge` verbs: is the judge to be trusted?"""

import typer

judge_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Hold a run's judge against people.")


@judge_app.command()
def calibrate() -> None:
    """x"""
