"""The edge: camera, encoder, spool, uploader, and the tables it renews over the air."""
