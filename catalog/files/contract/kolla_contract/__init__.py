"""What a deployment expects of every image, in the images: configuration put in place, health told.

These modules run in images, under the distribution's own Python, with the standard library alone.
"""
