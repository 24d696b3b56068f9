"""The only folder that knows MLflow: what it is sent of the runs and decisions, and experiments read as tables."""
