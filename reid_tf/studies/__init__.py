"""Many trainings of one recipe: sweeps over given values, searches for good ones."""
