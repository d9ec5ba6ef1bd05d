"""Learns tables and classifiers together, measures them, and exports bundles.

Each folder has one role, and imports only from those below it:

    app.py         the program: composition, and the only module that reads the clock and the environment
    cli/           commands, their options, and what a person sees at the terminal
    series.py      many runs from one recipe; job_process.py: jobs in processes of their own
    jobs.py        train, evaluate, export: plain functions of an order and a machine
    zoo/           classifiers that were trained already; how an entry is checked, tried and added
    comparison/    what learned tables gain, from a ladder of evaluated runs
    paper/         the seed paper's own method
    export/        a finished run as a bundle folder or a fallback: ONNX, eight bits, golden frames
    training/      the improved method, one epoch loop, several processes, and a run's folder
    plot.py        every picture
    evaluation/    accuracy, likeness and bytes of held-out frames
    encoding/      what cameras do with pixels: tables, Huffman codes and rules at a byte budget, on real streams
    recipes/       what may be asked for: recipes (TOML), their sections, and goals
    data/          data sets, each with its [data] section
    models/        nets
    diff_jpeg/     JPEG's steps with gradients
"""
