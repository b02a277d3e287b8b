"""Building: units made once, images installed over them, in the order that ends soonest."""
