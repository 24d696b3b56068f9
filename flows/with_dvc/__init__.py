"""DVC: stages that are stale or run, the project that it reads, and what a kill leaves of it."""
