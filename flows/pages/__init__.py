"""Behind `assay ui`: the report, MLflow and Prefect as pages on the loopback address, started and ended together."""
