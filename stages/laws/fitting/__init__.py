"""The engine: starts, solver, priors, profiles."""
