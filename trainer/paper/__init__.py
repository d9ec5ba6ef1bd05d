"""Qi, Chamain and Ding's "End-to-End Optimization of JPEG-Based Deep Learning Process", to the letter.

`docs/paper.md` leads from each element of the paper to its code, and says how its ambiguities are read.
"""
