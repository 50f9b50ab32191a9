"""A manifest and records as a run writes them, for tests that need no run."""


def identity(**changes):
    """The settings of a run that never was."""
    settings = {
        "generator": {"model": "tiny", "dtype": "float32"},
        "data": {"dataset": "pairs", "num_examples": 2, "data_seed": 0},
        "optimizer": optimizer(),
        "mode_tokens": ["Q", "A"],
        "single_slot": False,
    }
    return {**settings, **changes}


def optimizer(**changes):
    """Settings of the optimization, as far as every version has them."""
    settings = {"K": 8, "lr": 1.0, "num_steps": 9, "num_restarts": 1, "schedule": "constant", "seed": 0}
    return {**settings, "stop_rule": "confident", **changes}


def manifest(pairs=2):
    """What stands beside them in ``run.json``."""
    return {
        "generator": {"name": "tiny", "dtype": "float32", "fingerprint": "f"},
        "data": {"source": "pairs", "account": f"{pairs} of {pairs} pairs", "pairs": pairs, "fingerprint": "d"},
        "versions": {"torch": "2.13.0"},
        "sessions": [],
    }


def view(**changes):
    """A view of stage 2 that was written exactly."""
    fields = {
        "mode": "Q",
        "kind": "question",
        "given_text": "",
        "target_text": "a",
        "target_ids": [5, 0],
        "loss": 0.25,
        "loss_text": 0.25,
        "p_eos": 0.9,
        "min_p": 0.9,
        "teacher_forced_exact": True,
        "reconstructed": True,
        "decoded_text": "a",
        "decoded_ids": [5, 0],
        "baselines": {"random": {"loss": 5.0, "loss_text": 5.0}},
        "converged_by": ["random"],
    }
    return {**fields, **changes}


def of_problem(problem, stage):
    """What every record says of its problem."""
    return {"problem": problem, "pair": problem, "kind": "joint", "problem_restart": 0, "variant": "", "stage": stage}


def record(problem, **changes):
    """A record of stage 2, but for where its content is."""
    fields = {
        **of_problem(problem, stage=2),
        "seed": 0,
        "K": 8,
        "stop_rule": "confident",
        "stop_reason": "confident",
        "steps": 3,
        "best_step": 3,
        "steps_to_exact": 2,
        "restart": 0,
        "restarts_tried": 1,
        "steps_total": 3,
        "seconds": 0.1,
        "loss": 0.5,
        "penalty": 0.0,
        "reconstructed": True,
        "converged": True,
        "views": [view(), view(mode="A", kind="answer")],
    }
    return {**fields, **changes}


def decoded(problem, content, **changes):
    """A record of stage 3 that passed."""
    of_view = {
        "mode": "Q",
        "kind": "question",
        "target_text": "a",
        "decoded_text": "a",
        "decoded_ids": [5, 0],
        "reconstructed": True,
        "exact_match": True,
        "f1": 1.0,
        "clean_stop": True,
        "repeated_share": 0.0,
        "degeneration": "",
    }
    fields = {
        **of_problem(problem, stage=3),
        "outcome": "pass",
        "key_information": True,
        "content": content,
        "views": [of_view],
    }
    return {**fields, **changes}
