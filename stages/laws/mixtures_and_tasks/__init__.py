"""Laws over mixtures of data and of tasks, and surfaces that are no law."""
