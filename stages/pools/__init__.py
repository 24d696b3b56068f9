"""Behind ingest, dedup and pack."""
