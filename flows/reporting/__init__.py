"""What people are shown: artifacts in Prefect, runs or a failure in MLflow, experiments of DVC, how to go on."""
