"""The runs table: its columns, the files behind it, what is made of it, and MLflow."""
