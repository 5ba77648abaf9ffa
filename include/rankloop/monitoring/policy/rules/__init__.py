"""The drift rules, one a module; a new one is a module here and its line in `RULES`."""

from rankloop.monitoring.policy.declaration import DriftRule
from rankloop.monitoring.policy.rules.calibration_drift import CalibrationDriftRule
from rankloop.monitoring.policy.rules.catalogue_growth import CatalogueGrowthRule
from rankloop.monitoring.policy.rules.empty_column import EmptyColumnRule
from rankloop.monitoring.policy.rules.estimate_fall import EstimateFallRule
from rankloop.monitoring.policy.rules.feature_drift import FeatureDriftRule
from rankloop.monitoring.policy.rules.fresh_model import FreshModelRule
from rankloop.monitoring.policy.rules.input_drift import InputDriftRule
from rankloop.monitoring.policy.rules.missing_values import MissingValuesRule
from rankloop.monitoring.policy.rules.new_values import NewValuesRule
from rankloop.monitoring.policy.rules.performance_fall import PerformanceFallRule
from rankloop.monitoring.policy.rules.population_drift import PopulationDriftRule
from rankloop.monitoring.policy.rules.price_scale import PriceScaleRule
from rankloop.monitoring.policy.rules.quarantine_growth import QuarantineGrowthRule
from rankloop.monitoring.policy.rules.score_drift import ScoreDriftRule
from rankloop.monitoring.policy.rules.source_volume import SourceVolumeRule
from rankloop.monitoring.policy.rules.unit_change import UnitChangeRule
from rankloop.monitoring.policy.rules.worse_than_control import WorseThanControlRule

RULES: tuple[type[DriftRule], ...] = (
    InputDriftRule,
    FeatureDriftRule,
    ScoreDriftRule,
    PopulationDriftRule,
    MissingValuesRule,
    NewValuesRule,
    CatalogueGrowthRule,
    UnitChangeRule,
    PerformanceFallRule,
    WorseThanControlRule,
    EstimateFallRule,
    FreshModelRule,
    CalibrationDriftRule,
    SourceVolumeRule,
    QuarantineGrowthRule,
    EmptyColumnRule,
    PriceScaleRule,
)
