"""The edge: camera, encoder, spool and uploader; `ota` renews the tables over the air."""
