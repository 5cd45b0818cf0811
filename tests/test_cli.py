"""The command line: help that teaches, configurations that round-trip, errors in one paragraph."""

import subprocess
import sys

import pytest
import yaml

from learnorder.cli.main import COMMANDS, main

TINY = [
    "--data.train_examples", "120", "--data.evaluation_examples", "60", "--model.name", "ConvNet",
    "--model.arguments", "{widths: [8]}", "--training.epochs", "2",
]  # fmt: skip


def run(capsys, *arguments):
    """Return exit code, standard output and standard error of a command."""
    try:
        code = main(list(arguments))
    except SystemExit as end:
        code = end.code
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_help_lists_every_verb(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)
    assert run(capsys)[0] == 2
    assert run(capsys, "--version")[1].startswith("learnorder ")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_explains_its_options(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"learnorder {command} " in out
    if command in ("work", "query", "track"):
        assert "older" in out
    elif command == "advise":
        assert "Share of the epochs before the anneal" in " ".join(out.split())
    elif command not in ("report", "reproduce", "retrain", "runs", "theory"):
        what = "training examples" if command == "probe" else "images"
        assert f"Share of the {what} that can carry the" in " ".join(out.split())
        assert "default: digits" in out


@pytest.mark.parametrize("command", ["run", "phase"])
def test_help_of_the_theory_explains_its_options(capsys, command):
    code, out, _ = run(capsys, "theory", command, "--help")
    assert code == 0
    assert "Dimension of each half" in out
    assert "default: 0.06" in out


@pytest.mark.parametrize(
    "arguments", [["--help"], ["patch", "--help"], ["runs", "--help"], ["theory", "run", "--help"]]
)
def test_help_imports_nothing_heavy(arguments):
    script = (
        "import sys\nfrom learnorder.cli.main import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'plotly', 'datasets', 'accelerate', 'sklearn', 'scipy'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "HEAVY []" in done.stdout


def test_printed_configuration_round_trips(capsys, tmp_path):
    _, first, _ = run(capsys, "patch", "--patch.contrast", "0.25", "--print_config")
    assert yaml.safe_load(first)["patch"]["contrast"] == 0.25
    (tmp_path / "my.yaml").write_text(first)
    _, second, _ = run(capsys, "patch", "--config", "my.yaml", "--print_config")
    assert second == first


def test_a_section_can_be_given_whole(capsys):
    section = "{initial: 0.2, step_epochs: [5], step_factor: 0.5}"
    line = ["train", "--learning_rate", section, "--learning_rate.initial", "0.4"]
    _, out, _ = run(capsys, *line, "--print_config")
    rate = yaml.safe_load(out)["learning_rate"]
    assert (rate["initial"], rate["step_epochs"], rate["step_factor"]) == (0.4, [5], 0.5)
    code, _, err = run(capsys, "train", "--learning_rate", "{inital: 0.2}")
    assert (code, "learning_rate.inital" in err) == (2, True)
    code, _, err = run(capsys, "train", "--learning_rate", "0.2")
    assert (code, "learning_rate: got 0.2. Names and values" in err) == (2, True)


def test_arms_are_left_out_with_null(capsys):
    left_out = ["--arms.small_noise", "null", "--arms.small_annealed", "null"]
    code, out, _ = run(capsys, "patch", "--seeds", "1", *left_out, "--dry-run")
    assert (code, out.startswith("2 runs of up to ")) == (0, True)
    code, _, err = run(capsys, "patch", "--arms.large", "null", "--dry-run")
    assert (code, "arms.large: got None. It cannot be left out." in err) == (2, True)


def test_scale_of_a_yaml_file_decides_the_defaults(capsys, tmp_path):
    (tmp_path / "my.yaml").write_text("scale: paper\npatch: {contrast: 0.2}\n")
    _, out, _ = run(capsys, "patch", "--config", "my.yaml", "--print_config")
    values = yaml.safe_load(out)
    assert values["model"]["arguments"] == {"depth": 16, "widen_factor": 10}
    assert values["patch"]["contrast"] == 0.2


def test_data_is_short_for_its_source(capsys):
    _, out, _ = run(capsys, "patch", "--data", "parquet:somewhere", "--print_config")
    assert yaml.safe_load(out)["data"]["source"] == "parquet:somewhere"


def test_train_runs_report_and_list(capsys, tmp_path):
    code, out, err = run(capsys, "train", *TINY, "--arm", "small", "--out", "runs/a")
    assert code == 0, err
    assert "Final accuracy" in out
    assert "runs/a/report.html" in out
    (tmp_path / "runs/a/report.html").unlink()
    assert run(capsys, "report", "runs", "--out", "page.html")[0] == 0
    assert (tmp_path / "page.html").exists()
    code, out, _ = run(capsys, "runs")
    assert code == 0
    assert "finished" in out
    assert "learning_rate" in out


def test_train_takes_the_arm_and_no_patch(capsys):
    _, out, _ = run(capsys, "train", "--arm", "small_noise", "--print_config")
    values = yaml.safe_load(out)
    assert values["noise"]["level"]["initial"] > 0
    assert values["patch"]["eligible_share"] == 0


def test_dry_run(capsys, tmp_path):
    code, out, err = run(capsys, "train", *TINY, "--arm", "small", "--dry-run")
    assert code == 0, err
    assert "1 run of up to 8 steps" in out
    assert not (tmp_path / "runs").exists()


ERRORS = [
    (["ptach"], "no command 'ptach'"),
    (["patch", "--scale", "huge"], "scale: got 'huge'. Choose one of demo, laptop, thin, paper"),
    (["patch", "--patch.sise", "3"], "patch.sise: got '3'. There is no option"),
    (["patch", "--patch.size", "9"], "patch.size"),
    (["patch", "--patch.eligible_share", "2"], "[0, 1]"),
    (["patch", "--training.epochs", "10"], "step at epoch"),
    (["patch", "--data", "parquet:nowhere"], "no such folder"),
    (["patch", "--config", "absent.yaml"], "absent.yaml"),
    (["patch", "--workers", "0"], "workers"),
    (["train", "--arm", "medium"], "Choose from large, small, small_noise"),
    (["train", "--model.name", "collections.OrderedDict", "--model.arguments", "{}"], "model.name"),
    (["sweep"], "Name what varies"),
    (["sweep", "--grid", "{no.such: [1]}"], "No setting of this name"),
    (["sweep", "--grid", "{patch.size: [3]}", "--seeds", "0"], "seeds: got 0"),
    (["sweep", "--grid", "{patch.size: [3]}", "--seeds", "1000000000000"], "at most 10,000"),
    (["sweep", "--grid", "{patch.size: [3]}", "--first_seed", "-1"], "first_seed: got -1"),
    (["sweep", "--arms", "[large, large]"], "large appears twice"),
    (["patch", "--patch.contrast", ".inf"], "patch.contrast: got inf. A finite number is needed"),
    (["patch", "--patch.z_scale", "1e999"], "patch.z_scale: got inf"),
    (["patch", "--patch.top", "-1"], "patch.top: got -1"),
    (["train", "--training.weight_decay", ".nan"], "training.weight_decay: got nan"),
    (["train", "--training.epochs", "1.5"], "training.epochs: got 1.5. A whole number"),
    (["train", "--noise.shared", "yes"], "noise.shared: got 'yes'. true or false"),
    (["train", "--model.arguments", "{a: 1, a: 2}"], "a appears twice"),
    (["train", "--model.arguments", "{a: !!python/name:os.system }"], "has the tag"),
    (["train", "--seed", "-1"], "seed: got -1"),
    (["train", "--data.source"], "data.source: got nothing. Expected one argument"),
    (["train", "--threads", "0"], "threads: got 0"),
    (["train", "--threads", "-1"], "threads: got -1"),
    (["train", "--threads", "1000"], "threads: got 1000"),
    (["probe", "--pattern_size", "0"], "pattern_size: got 0"),
    (["probe", "--contrasts", "[0.1, .nan]"], "contrasts: got nan"),
    (["probe", "--data.evaluate_on", "test"], "data.evaluate_on: got 'test'"),
    (["probe", "--minutes", "0", "--dry-run"], "minutes: got 0"),
    (["advise", "--minutes", "-1", "--dry-run"], "minutes: got -1"),
    (["advise", "--target", "worst_group", "--dry-run"], "target: got 'worst_group'"),
    (["advise", "--learning_rates", "[0.1, .inf]"], "learning_rates: got inf"),
    (["advise", "--anneal", "fast"], "anneal: got 'fast'. Give one of step, cosine"),
    (["advise", "--model.name", "no_such_module.Net"], "model.name: got 'no_such_module.Net'"),
    (["advise", "--training.optimizer", "AdmW"], "training.optimizer: got 'AdmW'"),
    (["advise", "--data", "folder:nowhere", "--minutes", "5"], "no such folder"),
    (["theory", "run", "--distribution.s", "1e300"], "distribution.s"),
    (["theory", "run", "--distribution.kappa", "1e-300"], "distribution.kappa"),
    (["reproduce", "--only", "no-such-claim"], "no-such-claim"),
    (["query", "SELECT 1", "--rows", "-1"], "rows: got -1"),
    (["report"], "arguments are required: runs"),
    (["report", "nowhere"], "no such folder"),
    (["runs", "nowhere"], "no such folder"),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS, ids=lambda v: " ".join(v)[:40])
def test_errors_are_one_paragraph_with_exit_code_2(capsys, tmp_path, arguments, message):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_unknown_fields_in_yaml(capsys, tmp_path):
    (tmp_path / "my.yaml").write_text("patch: {sise: 3}\n")
    code, _, err = run(capsys, "patch", "--config", "my.yaml")
    assert code == 2
    assert "sise" in err


def test_a_users_model_beside_the_command(capsys, tmp_path):
    (tmp_path / "nets_of_mine.py").write_text(
        "from torch import nn\n"
        "def make(num_classes, hidden=8):\n"
        "    return nn.Sequential(nn.Flatten(), nn.LazyLinear(hidden), nn.ReLU(),\n"
        "                         nn.Linear(hidden, num_classes))\n"
    )
    arguments = ["--model.name", "nets_of_mine.make", "--model.arguments", "{hidden: 6}"]
    code, _, err = run(
        capsys, "train", "--data.train_examples", "120", "--training.epochs", "2",
        "--learning_rate.step_epochs", "[]", "--learning_rate.step_factor", "null", *arguments,
    )  # fmt: skip
    assert code == 0, err


def test_other_data_or_another_network_starts_from_open_settings(capsys):
    """Subset sizes and arguments of a recipe are its own data's and network's."""
    _, out, _ = run(capsys, "patch", "--data", "folder:photos", "--print_config")
    assert yaml.safe_load(out)["data"]["train_examples"] is None
    _, out, _ = run(capsys, "patch", "--model.name", "nets.Net", "--print_config")
    assert yaml.safe_load(out)["model"]["arguments"] == {}
    cifar = ["--scale", "laptop", "--data", "parquet:some/cifar10"]
    _, out, _ = run(capsys, "patch", *cifar, "--print_config")
    assert yaml.safe_load(out)["data"]["train_examples"] == 10_000


def test_a_file_of_another_scale_is_refused(capsys, tmp_path):
    (tmp_path / "my.yaml").write_text(run(capsys, "patch", "--print_config")[1])
    code, _, err = run(capsys, "patch", "--config", "my.yaml", "--scale", "laptop")
    assert code == 2
    assert "my.yaml says demo" in err


def test_schedule_errors_name_the_option(capsys):
    _, _, err = run(capsys, "patch", "--training.epochs", "10")
    assert "arms.large.learning_rate.step_epochs" in err


def test_a_launcher_starts_runs_and_not_the_command(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert main(["train"]) == 2
    assert "one of 4 processes" in capsys.readouterr().err


def test_a_misspelt_option_is_not_guessed_at(capsys):
    assert main(["train", "--training.epoch", "3"]) == 2
    assert capsys.readouterr().err.startswith(
        "learnorder train: training.epoch: got '3'. There is no option of this name. Did you mean "
        "--training.epochs?"
    )
    assert main(["train", "--zzz"]) == 2
    assert "mean" not in capsys.readouterr().err


def test_a_value_of_the_wrong_type_is_told_in_words(capsys):
    assert main(["train", "--training.epochs", "many"]) == 2
    assert capsys.readouterr().err.strip() == (
        "learnorder train: training.epochs: got 'many'. A whole number is needed."
    )
    assert main(["sweep", "--grid", "{patch.contrast:[0.3]}"]) == 2
    assert "a space after each colon" in capsys.readouterr().err
