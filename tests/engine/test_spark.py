"""What becomes of a Spark that cannot be had."""

import pytest

from rankloop.engine.opening import open_engine
from rankloop.errors import TransientError
from rankloop.settings.features import FeatureSettings

pyspark = pytest.importorskip("pyspark")

MASTER = "spark://cluster.example:7077"


def open_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(pyspark.sql.SparkSession.Builder, "getOrCreate", fail)
    with open_engine(FeatureSettings(engine="spark", spark_master=MASTER)):
        pass


def test_a_master_that_does_not_answer_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    from py4j.protocol import Py4JError  # noqa: PLC0415  (comes with pyspark, which may be missing)

    with pytest.raises(TransientError, match=r"cluster\.example:7077 does not answer.*RANKLOOP_FEATURES__SPARK_MASTER"):
        open_with(monkeypatch, Py4JError("cannot call methods on a stopped SparkContext"))


def test_a_missing_java_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = pyspark.errors.PySparkRuntimeError("[JAVA_GATEWAY_EXITED] Java gateway process exited")
    with pytest.raises(Exception, match=r"cannot be started.*JAVA_HOME") as stopped:
        open_with(monkeypatch, gone)
    assert not isinstance(stopped.value, TransientError)
