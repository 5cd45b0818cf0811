# All public names of learnorder; everything else is private. help() describes each.
# They load on first use: lazy_loader.attach_stub reads this file.
# The reference documentation lists them in this order, under these headings.
# ASCII only: lazy_loader opens this file in the machine's encoding.

# Commands: each runs, continues or reads an experiment, and writes its report
from .reproduce.run import reproduce as reproduce  # the claims of the paper, each with a verdict
from .reproduce.papers.run import reproduce_paper as reproduce_paper  # those of a later paper
from .images.run import run_patch as run_patch  # arms on images with a planted patch
from .images.run import run_plain as run_plain  # the same arms on unmodified images
from .images.run import run_train as run_train  # one run of your own settings
from .sweep.run import run_sweep as run_sweep  # a grid of settings on several seeds
from .probe.run import run_probe as run_probe  # what your network learns first
from .advise.run import run_advise as run_advise  # which learning rates are best after annealing
from .advise.existing.run import judge_runs as judge_runs  # the same of runs that exist already
from .advise.along.run import run_along as run_along  # how the best one moves with a setting
from .advise.jointly.run import run_jointly as run_jointly  # the best pair with another setting
from .theory.run import run_theory as run_theory  # the two-layer network of the paper
from .theory.run import run_phase as run_phase  # the same network over a grid of two settings
from .retrain.run import retrain as retrain  # the last layers of finished runs
from .execution.settings import Execution as Execution  # workers, threads, engine, quiet

# Settings
from .images.run import recipe as recipe  # the experiments of the paper at a scale
from .images.experiment import ImageExperiment as ImageExperiment  # what recipe returns
from .config.settings import RunConfig as RunConfig  # one run on images
from .config.settings import DataConfig as DataConfig  # its images
from .config.settings import ModelConfig as ModelConfig  # its network
from .config.settings import PatchConfig as PatchConfig  # its planted patch
from .config.training import TrainingConfig as TrainingConfig  # its optimiser and length
from .config.training import NoiseConfig as NoiseConfig  # its noise before activations
from .schedules import Schedule as Schedule  # the learning rate or noise level over the epochs
from .probe.settings import Probe as Probe  # for run_probe
from .advise.settings import LRSearch as LRSearch  # for run_advise
from .config.script import ScriptConfig as ScriptConfig  # a training script, for LRSearch
from .training.task import Task as Task  # any model, data set and loss, for run_advise
from .training.metrics import BatchMean as BatchMean  # a score that is averaged over batches
from .training.groups import Groups as Groups  # known groups of the examples of a Task
from .training.keep import Keep as Keep  # an old task, to measure what a Task forgets
from .theory.experiment import TheoryExperiment as TheoryExperiment  # for run_theory and run_phase
from .theory import paper_scaling as paper_scaling  # the scaling of the theorems

# Results: what the commands return, and what existing runs contain
from .runs.opening import open_runs as open_runs  # all runs in some folders and their subfolders
from .runs.results import Results as Results  # of runs on images
from .runs.results import TaskResults as TaskResults  # of runs of tasks
from .theory.results import TheoryResults as TheoryResults  # of runs of the theory
from .probe.result import ProbeResult as ProbeResult  # of run_probe
from .advise.result import Advice as Advice  # of run_advise
from .advise.existing.result import JudgedRuns as JudgedRuns  # of judge_runs
from .advise.along.result import AlongResult as AlongResult  # of run_along
from .advise.jointly.result import JointResult as JointResult  # of run_jointly
from .reproduce.result import ReproductionResult as ReproductionResult  # of reproduce
from .statistics import Estimate as Estimate  # a mean with its interval
from .runs.query import query as query  # an SQL query over runs
from .runs.query import connect as connect  # a DuckDB connection to runs
from .report.page import write_report as write_report  # an HTML report of any results

# In your own training loop
from .toolkit.learning_order import (
    LearningOrder as LearningOrder,
)  # when each example is learned
from .toolkit.indexed import IndexedDataset as IndexedDataset  # adds indices to batches
from .report.data_map import data_map as data_map  # figure: confidence over variability
from .report.examples import write_examples as write_examples  # a page of examples to look at
from .noise import activation_noise as activation_noise  # noise before activations
from .toolkit.sharpness import hessian as hessian  # Hessian-vector products of a loss
from .toolkit.sharpness import largest_eigenvalue as largest_eigenvalue  # of a Hessian
from .toolkit.batch_sharpness import batch_sharpness as batch_sharpness  # mean over batches
from .toolkit.batch_sharpness import gradient_curvature as gradient_curvature  # of one batch
from .toolkit.features import feature_statistics as feature_statistics  # of a hidden layer
from .toolkit.pruning import pruned as pruned  # small weights are zero within a with block
from .toolkit.pruning import pruning_curve as pruning_curve  # score by share of weights removed
from .toolkit.spikes import count_spikes as count_spikes  # of the losses of steps
from .toolkit.catapults import count_catapults as count_catapults  # of the loss on all examples
from .toolkit.agop import (
    average_gradient_outer_product as average_gradient_outer_product,
)  # of a model in its inputs
from .toolkit.agop import agop_alignment as agop_alignment  # of two models

# Errors, and public modules
from .errors import LearnOrderError as LearnOrderError  # base class of all errors
from . import errors as errors  # all exception classes
from . import models as models  # the networks that ModelConfig names
from . import planters as planters  # patterns planted in images, tokens, texts, tables, series
from . import noise as noise  # find_activations, and the handle of activation_noise
from . import theory as theory  # configuration and simulation of the two-layer network
