"""State: the database, its schema and revisions, blobs by digest. Everything durable goes through here."""
