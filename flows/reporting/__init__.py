"""What people are shown of a run: artifacts in Prefect, its runs or its failure in MLflow, how to go on."""
