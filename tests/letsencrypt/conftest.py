"""The programs of letsencrypt-lego and haproxy-ssh are tested as they stand in the catalogue."""
