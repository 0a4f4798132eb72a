"""Drawn pedestrians: who they are (look), how they stand (skeleton), what is painted (figure, camera, picture)."""
