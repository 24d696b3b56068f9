"""The run that decisions are for, and what follows from it: the proxies and the other sections of params.yaml."""
