"""Vectors of what cameras saw, in a store that lives: added to all day, searched, kept for a time, deleted."""

from reid_tf.gallery.adding import Added
from reid_tf.gallery.entry import Entry
from reid_tf.gallery.filters import Filter
from reid_tf.gallery.gallery import Gallery
from reid_tf.gallery.searching import Result, by_person
from reid_tf.gallery.sighting import Sighting

__all__ = ["Added", "Entry", "Filter", "Gallery", "Result", "Sighting", "by_person"]
