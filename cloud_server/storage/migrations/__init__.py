"""The database's revisions, oldest first in `versions/`; `migrating` runs them."""
