"""Weights that others trained: found, converted, checked and loaded."""
