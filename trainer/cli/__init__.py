"""The command line: commands, their options, and what a person sees at the terminal."""
