"""Files as they lie on a disk: tables, arrays, boxes, videos, folders of images, encoded bytes."""
