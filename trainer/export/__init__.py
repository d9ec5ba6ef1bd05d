"""A finished run as a folder for servers: an ONNX classifier, its twin in eight bits, golden frames, a description."""
