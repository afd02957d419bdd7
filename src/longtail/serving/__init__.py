"""The exported model as MLflow serves it."""
