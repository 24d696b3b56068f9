"""When and where: the Prefect flows, their deployments and the command line. Never what."""
