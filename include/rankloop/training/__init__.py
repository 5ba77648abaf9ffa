"""A training, step by step, from the windows to a registered challenger: what the DAG's tasks call.

Each step takes the settings and the id of the training's MLflow run, finds there what the steps before it left, and
leaves there what it found itself. So every step can be run again alone, on any machine, any number of times.
"""
