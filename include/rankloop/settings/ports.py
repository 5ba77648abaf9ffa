"""Where the servers of the embedded stack listen."""

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Ports(BaseModel):
    """Where the servers of the embedded stack listen, all on 127.0.0.1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    airflow: int = Field(8080, ge=1, le=65535, description="the Airflow UI and API")
    mlflow: int = Field(5000, ge=1, le=65535, description="the MLflow UI and API")
    mongo: int = Field(27117, ge=1, le=65535, description="the embedded MongoDB-compatible server")
    serving: int = Field(8000, ge=1, le=65535, description="the serving app and its storefront")

    @model_validator(mode="after")
    def _each_its_own(self) -> "Ports":
        taken = [self.airflow, self.mlflow, self.mongo, self.serving]
        if len(set(taken)) < len(taken):
            raise ValueError(f"two servers cannot share a port: airflow, mlflow, mongo, serving are {taken}")
        return self
