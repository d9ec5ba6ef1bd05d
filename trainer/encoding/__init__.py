"""What cameras do with pixels: tables, Huffman codes and rules at a byte budget, found on real streams."""
