"""From footage to people: frames and boxes in, who was where and when out."""
