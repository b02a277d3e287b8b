"""The store: one folder that holds downloads, units, images and what is known of them."""
