"""The cloud: frames in, labels out, table versions published."""
