"""What the images of ImageNet are on average, by which most published networks normalise theirs."""

# Red, green and blue, on the scale 0..255.
MEAN = (123.675, 116.28, 103.53)
STANDARD_DEVIATION = (58.395, 57.12, 57.375)
