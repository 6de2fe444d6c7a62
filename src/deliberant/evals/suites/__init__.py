"""One file each: a suite, and its task for Inspect."""
