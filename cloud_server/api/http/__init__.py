"""What all planes share: exchanges, bodies, problem documents, request ids."""
