"""Many images, wherever they lie, embedded by several processes or machines; finished parts are never done again."""
