"""MLflow: what every training leaves behind, and the versions of the model. The only room that imports MLflow.

MLflow takes seconds to import, so whoever needs this room imports it inside the function that does.
"""
