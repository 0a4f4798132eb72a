"""Distances to decisions: from which distance on two images show two people."""
