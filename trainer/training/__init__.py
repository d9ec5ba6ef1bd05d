"""How nets and tables are trained: the improved method, the epoch loop, processes, and the folder of a run."""
