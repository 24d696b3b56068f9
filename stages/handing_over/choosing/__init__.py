"""Which documents of the whole pools an arm takes, and how often each is written."""
