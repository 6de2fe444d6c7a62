"""The stages: one module each, with one public function and one command.

Imported one by one (`from deliberant.stages.filter import filter`), since the training stages need torch and TRL.
"""

__all__: list[str] = []
