"""The steps of a training, from its plan to a registered challenger: what the DAG's tasks call.

Each step takes the task's context and the id of the training's MLflow run. It reads from the run what earlier steps
logged, and logs its own results there. So every step is idempotent and can be run again alone, on any machine.
"""
