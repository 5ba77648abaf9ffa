"""How challengers are trained, tuned and evaluated.

Each ranker has `fix_params`, which hold in every trial; `tune_params`, lists of values to search among; and
`fit_params`, which say how long to fit. Values given for `fix_params` and `fit_params` are merged into the defaults, so
that one can be changed without writing out the others; `tune_params` are replaced as a whole. A parameter that is tuned
is not fixed.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Value = bool | int | float | str | tuple[int, ...]
Fill = Literal["median", "min", "max", "zero"]
Search = Literal["grid", "random", "tpe"]
Debias = Literal["none", "unbiased", "propensity"]
DebiasSetting = Literal["auto", "none", "unbiased", "propensity"]
BUILT_IN_RANKERS = ("xgboost", "neural", "logistic")
Metric = Literal["map", "recall", "ndcg", "precision", "ctr"]
GATE_METRICS = ("ndcg@10", "recall@30")
"""What the gate judges by, so that no evaluation may leave it out."""


class PreprocessingSettings(BaseModel):
    """What is done to features before a ranker sees them, in this order; learned on the training days alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sparse_threshold: float = Field(0.99, ge=0, le=1, description="share of empty values above which a feature goes")
    clip_lower: float = Field(0.001, ge=0, lt=0.5, description="quantile below which values are raised to it")
    clip_upper: float = Field(0.999, gt=0.5, le=1, description="quantile above which values are lowered to it")
    fill: Fill = Field("median", description="what stands for an empty value: median, min, max or zero")


class RankerSettings(BaseModel):
    """The parameters of one ranker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fix_params: dict[str, Value] = Field(default_factory=dict, description="parameters that hold in every trial")
    tune_params: dict[str, tuple[Value, ...]] = Field(default_factory=dict, description="values to search among")
    fit_params: dict[str, int] = Field(default_factory=dict, description="how long to fit")

    @field_validator("tune_params")
    @classmethod
    def _some_values(cls, value: dict[str, tuple[Value, ...]]) -> dict[str, tuple[Value, ...]]:
        if empty := [name for name, choices in value.items() if not choices]:
            raise ValueError(f"{', '.join(empty)} has no value to try; give some, or leave it out")
        return value


XGBOOST = RankerSettings(
    fix_params={
        "booster": "gbtree",
        "objective": "rank:pairwise",
        "eval_metric": "ndcg",
        "tree_method": "hist",
        "max_bin": 64,
        "negatives": 20,
        "colsample_bytree": 0.9,
        "subsample": 0.9,
        "gamma": 0.0,
        "reg_alpha": 0.0,
        "reg_lambda": 1.0,
        "min_child_weight": 1.0,
        "learning_rate": 0.1,
        "max_depth": 5,
    },
    # Not 0.01: in 500 rounds it never came within 0.004 of the best NDCG@10 of the validation days, and it took longer
    # than all other trials together.
    tune_params={"learning_rate": (0.05, 0.1, 0.2), "max_depth": (3, 4, 5)},
    fit_params={"num_boost_round": 500, "early_stopping_rounds": 30},
)
NEURAL = RankerSettings(
    fix_params={"layers": (64, 32), "alpha": 1e-4, "learning_rate": 0.001, "batch_size": 1024, "negatives": 10},
    tune_params={"alpha": (1e-5, 1e-4, 1e-3), "layers": ((32,), (64, 32), (128, 64))},
    fit_params={"num_epochs": 20, "early_stopping_rounds": 3},
)
LOGISTIC = RankerSettings(
    fix_params={"alpha": 1e-5, "learning_rate": 0.05, "batch_size": 1024, "negatives": 10},
    tune_params={"alpha": (1e-6, 1e-5, 1e-4)},
    fit_params={"num_epochs": 10, "early_stopping_rounds": 2},
)


class TrainingSettings(BaseModel):
    """How challengers are trained and measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train_days: int = Field(10, ge=1, le=365, description="days of lists to learn from")
    valid_days: int = Field(2, ge=1, le=60, description="days after them, to stop and to tune on")
    test_blocks: int = Field(4, ge=1, le=20, description="blocks of days after those, to measure on")
    test_block_days: int = Field(2, ge=1, le=60, description="days of each block")
    label_hours: int = Field(24, ge=1, le=240, description="hours after a list in which a reaction counts for it")
    idle_share: float = Field(0.05, gt=0, le=1, description="share of the lists without a reaction that are kept")
    cold_shown: int = Field(50, ge=1, description="a product shown less often than this in 28 days is cold")
    preprocessing: PreprocessingSettings = PreprocessingSettings()
    ranker: str = Field("xgboost", description="xgboost, neural, logistic, or the dotted path of a ranker of your own")
    debias: DebiasSetting = Field(
        "auto", description="what takes the effect of position out of clicks; auto is unbiased for trees, else none"
    )
    eval_k_list: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        (5, 10, 20, 30), description="places from the top that metrics look at"
    )
    eval_metric_list: tuple[Metric, ...] = Field(
        ("ndcg", "map", "recall", "precision", "ctr"), description="metrics of the evaluation and the comparison"
    )
    tune_metric: str = Field(
        "ndcg@10", pattern=r"^(map|recall|ndcg|precision)@[1-9]\d*$", description="what tuning and early stopping raise"
    )
    leak_limit: float = Field(0.97, gt=0.5, le=1, description="power of one feature above which a run stops")
    max_features: int = Field(400, ge=1, description="features kept, those of the greatest gain")
    max_iter: int = Field(9, ge=0, le=10_000, description="trials of tuning; 0 leaves the fixed parameters")
    search: Search = Field("tpe", description="grid, random or tpe")
    minutes: float = Field(2.0, gt=0, description="minutes after which tuning begins no further trial")
    tune_lists: int = Field(5000, ge=1, description="training lists that a trial is fitted on")
    seed: int = Field(7, ge=0, description="the same seed gives the same trials and the same model")
    threads: int = Field(2, ge=1, le=256, description="threads of the ranker; another number may change a model")
    xgboost: RankerSettings = XGBOOST
    neural: RankerSettings = NEURAL
    logistic: RankerSettings = LOGISTIC
    custom: RankerSettings = Field(
        RankerSettings(), description="parameters of the ranker that `ranker` names by its dotted path"
    )

    @model_validator(mode="before")
    @classmethod
    def _on_top_of_the_defaults(cls, given: Any) -> Any:  # noqa: ANN401  (whatever was set)
        if not isinstance(given, Mapping):
            return given
        merged = dict(given)
        for name, default in (("xgboost", XGBOOST), ("neural", NEURAL), ("logistic", LOGISTIC)):
            if isinstance(own := merged.get(name), Mapping):
                merged[name] = {
                    **default.model_dump(),
                    **own,
                    **{
                        part: {**getattr(default, part), **own[part]}
                        for part in ("fix_params", "fit_params")
                        if isinstance(own.get(part), Mapping)
                    },
                }
        return merged

    @field_validator("ranker")
    @classmethod
    def _name_or_path(cls, value: str) -> str:
        is_path = "." in value and all(part.isidentifier() for part in value.split("."))
        if value not in BUILT_IN_RANKERS and not is_path:
            raise ValueError(f"there are {', '.join(BUILT_IN_RANKERS)}, or the dotted path of a ranker of your own")
        return value

    @model_validator(mode="after")
    def _metrics_that_are_asked_for(self) -> Self:
        asked = {f"{metric}@{k}" for metric in self.eval_metric_list for k in self.eval_k_list}
        if missing := [name for name in GATE_METRICS if name not in asked]:
            raise ValueError(
                f"the gate judges by {', '.join(GATE_METRICS)}, and eval_metric_list at eval_k_list leaves out "
                f"{', '.join(missing)}; add the metric or its k"
            )
        if self.ranker == "xgboost" and not self.tune_metric.startswith("ndcg@"):
            raise ValueError(
                f"xgboost cannot be tuned by tune_metric {self.tune_metric}, it knows ndcg@ and a number of places for "
                "labels from 0 to 3; neural and logistic can be tuned by map, recall, ndcg and precision"
            )
        return self

    def params(self, ranker: str) -> RankerSettings:
        """Return the parameters of a ranker."""
        return {"xgboost": self.xgboost, "neural": self.neural, "logistic": self.logistic}.get(ranker, self.custom)

    @property
    def debias_way(self) -> Debias:
        """What the ranker does about the effect of a product's position on clicks.

        Measured on the simulated marketplace (benchmarks/bench_ranking.py --debias): `unbiased` trees rank the lists as
        they were shown no worse than trees that know nothing of positions, and would get 6 % more clicks if buyers were
        shown their order. `propensity` weights would get 5 % more still, but rank the shown lists worse by 0.02 of
        NDCG@10, and those are what the gate can see. Pointwise rankers have no such estimate of their own.
        """
        if self.debias == "auto":
            return "unbiased" if self.ranker == "xgboost" else "none"
        return self.debias

    @property
    def list_days(self) -> int:
        """How many days of lists all sets take together."""
        return self.train_days + self.valid_days + self.test_blocks * self.test_block_days

    @property
    def label_days(self) -> int:
        """After how many more days the reactions to a day's lists are all there."""
        return -(-self.label_hours // 24)
