"""The door to the Hugging Face Hub for an exported data set: private unless said otherwise, never over another one."""

import re
from pathlib import Path

from deliberant.util.errors import RunError, UserError

NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
OURS = ["README.md", "sft/*", "rl/*", "rejected/*"]
"""What an export consists of, and may be replaced by a later one."""


def check(name: str) -> None:
    """UserError where `name` is not OWNER/NAME, or nobody is logged in; asked before the work, not after it."""
    from huggingface_hub import get_token

    if not NAME.fullmatch(name):
        raise UserError(f"'{name}': is not the name of a data set; write OWNER/NAME")
    if get_token() is None:
        raise UserError(f"hub:{name}: there is no token; run `hf auth login`, or set HF_TOKEN, with write access")


def push(folder: Path, name: str, public: bool = False, force: bool = False) -> str:
    """Upload an export in one commit and return the address of the data set.

    UserError where it exists and `force` is not set, or where it exists and all can see it though `public` is not set;
    RunError where the Hub refuses or cannot be reached.
    """
    from httpx2 import HTTPError  # what the Hub's client raises where it has no error of its own
    from huggingface_hub import create_repo, repo_info, upload_folder
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        try:
            there = repo_info(name, repo_type="dataset")
        except RepositoryNotFoundError:
            create_repo(name, repo_type="dataset", private=not public)
        else:
            if not force:
                raise UserError(f"hub:{name}: exists already; name another one, or give --force to replace it")
            if not (public or there.private):
                raise UserError(f"hub:{name}: exists already and is public; make it private, or give --public")
        commit = upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=folder,
            delete_patterns=OURS,
            commit_message="Export of deliberant",
        )
    except (HTTPError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        raise RunError(f"hub:{name}: could not be written ({reason}); nothing here is lost, try again") from error
    return str(commit.repo_url)
