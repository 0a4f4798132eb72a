"""Ranks to pictures and tables."""
