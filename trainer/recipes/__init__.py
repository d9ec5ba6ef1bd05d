"""What may be asked for: recipes (TOML files, several of which lie here), their sections, and goals."""
