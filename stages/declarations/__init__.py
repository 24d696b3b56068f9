"""Stages as all but their work knows them: section, checks and files. Nothing here imports polars or numpy."""
