# The public names and their homes: __init__.py reads this list, and so do type checkers and the manual. "X as X" is how
# a type checker knows that X is public.
from . import errors as errors
from .data.load import load_fit_data as load_fit_data
from .engines import Engine as Engine
from .engines import get_engine as get_engine
from .errors import HyperpartonError as HyperpartonError
from .fit.result import FitResult as FitResult
from .fit.run import fit_runcard as fit_runcard
from .hyperloss.trainer import ModelTrainer as ModelTrainer
from .interop.hyper_scan import hyper_scan_wrapper as hyper_scan_wrapper
from .nn.initializers import MetaLayer as MetaLayer
from .nn.optimizers import MetaModel as MetaModel
from .report.frame import trials_frame as trials_frame
from .runcard.card import Runcard as Runcard
from .runcard.check import read_runcard as read_runcard
from .scan.early_stop import EarlyStopping as EarlyStopping
from .scan.limits import Limits as Limits
from .scan.pruning import Rule as Rule
from .scan.run import run_scan as run_scan
from .scan.scanner import ActivationStr as ActivationStr
from .scan.scanner import HyperScanner as HyperScanner
from .scan.settings import Execution as Execution
from .scan.settings import ScanSettings as ScanSettings
from .scan.trainer import BatchTrainer as BatchTrainer
from .scan.trainer import ProgressTrainer as ProgressTrainer
from .scan.trainer import RefittingTrainer as RefittingTrainer
from .scan.trainer import ReportingTrainer as ReportingTrainer
from .scan.trainer import Trainer as Trainer
from .scan.worker_process import Recipe as Recipe
from .space.samplers import hp_choice as hp_choice
from .space.samplers import hp_loguniform as hp_loguniform
from .space.samplers import hp_quniform as hp_quniform
from .space.samplers import hp_uniform as hp_uniform
from .space.samplers import optimizer_arg_wrapper as optimizer_arg_wrapper
from .trials.local import FileTrials as FileTrials
from .trials.mongo.server import MongodRunner as MongodRunner
from .trials.mongo.trials import MongoFileTrials as MongoFileTrials
from .trials.store import TrialStore as TrialStore
from .trials.trial import Trial as Trial
from .trials.tries_read import read_trials as read_trials
from .trials.tries_read import read_tries as read_tries
from .workflow.confirm import confirm_scan as confirm_scan
from .workflow.minimise import Minimum as Minimum
from .workflow.minimise import minimise as minimise
from .workflow.scan import scan_runcard as scan_runcard

__version__: str
