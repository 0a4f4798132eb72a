"""Distances to decisions: above which distance two images show two people."""
