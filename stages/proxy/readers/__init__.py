"""Trained proxies that score documents."""
