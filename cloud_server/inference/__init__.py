"""From a frame's bytes to a label: choose the classifier, decode, run it, in small greedy batches."""
