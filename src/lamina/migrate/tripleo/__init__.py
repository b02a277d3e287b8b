"""TripleO's files: the template of all images, and the environments that choose among them."""
