"""MLflow: what every training leaves behind, and the versions of the model. The only package that imports MLflow.

MLflow takes seconds to import, so import this package inside the function that needs it.
"""
