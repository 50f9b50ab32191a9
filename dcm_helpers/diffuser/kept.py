"""A Diffuser on disk: what it is (JSON), and its weights (safetensors)."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from dcm_helpers.config import DiffuserConfig, ExamplesConfig, GeneratorConfig, NetworkConfig
from dcm_helpers.diffuser.diffuser import Diffuser
from dcm_helpers.diffuser.examples import Scale
from dcm_helpers.diffuser.network import Network
from dcm_helpers.errors import InputError, require
from dcm_helpers.files import is_there, parsed_json, read_text, write_safely
from dcm_helpers.generator import Generator, load_generator

SETTINGS, BEST = "diffuser.json", "best.safetensors"
PROGRESS = "progress"
MEAN = "scale.mean"


def settings_of(generator: Generator, config: DiffuserConfig, scale: Scale, learned_from: Mapping) -> dict:
    """What a Diffuser is: a folder with other settings belongs to another one."""
    return {
        "config": dataclasses.asdict(config),
        "generator": {
            "name": generator.name,
            "fingerprint": generator.fingerprint(),
            "dtype": generator.precision,
        },
        "slots": len(scale.mean),
        "scale": scale.std,
        "learned_from": dict(learned_from),
    }


def keep_settings(folder: Path, settings: Mapping) -> None:
    """Say what a folder's Diffuser is; what is there already must be the same.

    Raises:   InputError naming a setting that differs
    """
    path, wanted = folder / SETTINGS, json.loads(json.dumps(settings))
    if is_there(path):
        other = sorted(differing(described(folder, trained=False), wanted))
        require(not other, f"{folder} has a Diffuser with another {', '.join(other)}; name another folder")
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_safely(path, json.dumps(wanted, indent=2).encode() + b"\n")


def differing(found: object, wanted: object, name: str = "") -> Iterator[str]:
    """The names of what differs between two descriptions, the innermost ones."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for inner in {*found, *wanted}:
            yield from differing(found.get(inner), wanted.get(inner), inner)
    elif found != wanted:
        yield name


def keep_best(folder: Path, diffuser: Diffuser) -> None:
    """Put a Diffuser's weights on disk, ready to be used."""
    tensors = {**diffuser.network.state_dict(), MEAN: diffuser.scale.mean}
    write_safely(folder / BEST, save(on_cpu(tensors)))


def described(folder: Path, trained: bool = True) -> dict:
    """What a folder says of its Diffuser.

    Raises:   InputError if there is none, or none that is trained where one is asked for
    """
    for name in (SETTINGS, BEST) if trained else (SETTINGS,):
        require(is_there(folder / name), f"{folder} has no trained Diffuser ({name} is missing); train one there first")
    told = parsed_json(read_text(folder / SETTINGS), str(folder / SETTINGS), "name another folder")
    require(isinstance(told, dict), f"{folder / SETTINGS} describes no Diffuser; name another folder")
    return told


def precision_to_go_on_in(folder: Path) -> str | None:
    """The precision of the Generator that a folder's Diffuser is trained with; None where none is there yet.

    Raises:   InputError if what is there describes none
    """
    folder = folder.expanduser()
    if not is_there(folder / SETTINGS):
        return None
    with of_this_version(folder):
        return described(folder, trained=False)["generator"]["dtype"]


def generator_of(folder: Path | str, device: str = "auto") -> Generator:
    """The Generator that a Diffuser was trained with; nothing is fetched from the hub for it.

    Raises:   InputError if it is not on this machine, or there is no Diffuser
    """
    folder = Path(folder).expanduser()
    settings = described(folder)
    with of_this_version(folder):
        made_with = settings["generator"]
        config = GeneratorConfig(made_with["name"], device, made_with["dtype"])
    return load_generator(config, fetch=False)


def trained_on(folder: Path | str, device: str = "auto") -> tuple[ExamplesConfig, DiffuserConfig]:
    """What a Diffuser learned from, in the precision that it was trained in, and how.

    Raises:   InputError if there is none, or it is of another version
    """
    folder = Path(folder).expanduser()
    settings = described(folder)
    names = {field.name for field in dataclasses.fields(ExamplesConfig)}
    with of_this_version(folder):
        source = {name: value for name, value in settings["learned_from"].items() if name in names}
        precision = {"dtype": settings["generator"]["dtype"], "device": device}
        return ExamplesConfig(**{**source, **precision, "runs": tuple(source["runs"])}), config_of(settings)


def config_of(settings: Mapping) -> DiffuserConfig:
    """How a Diffuser was trained, as its folder says it."""
    known = dict(settings["config"])
    return DiffuserConfig(**{**known, "network": NetworkConfig(**known["network"])})


@contextlib.contextmanager
def of_this_version(folder: Path) -> Iterator[None]:
    """Say which folder it is whose settings do not read as this version's."""
    try:
        yield
    except (TypeError, LookupError, AttributeError) as error:
        raise InputError(f"{folder / SETTINGS} does not describe a Diffuser of this version: {error}") from error


def load_diffuser(folder: Path | str, generator: Generator) -> Diffuser:
    """A trained Diffuser, on its Generator's device.

    Raises:   InputError if there is none, it is damaged, or it was trained with another Generator
    """
    folder = Path(folder).expanduser()
    settings = described(folder)
    with of_this_version(folder):
        config, made_with, std = config_of(settings), settings["generator"], settings["scale"]
    require(
        made_with["fingerprint"] == generator.fingerprint(),
        f"{folder} was trained with {made_with['name']} in {made_with['dtype']}; its contents mean nothing to "
        f"{generator.name} in {generator.precision}",
    )
    _, tensors = tensors_of(folder / BEST)
    try:
        mean = tensors.pop(MEAN)
        network = Network(*mean.shape, tensors["usual"], config.network)
        network.load_state_dict(tensors)
    except (LookupError, RuntimeError) as error:
        raise InputError(f"{folder / BEST} is damaged: {error}") from error
    network = network.to(generator.device).requires_grad_(False)
    return Diffuser(network, Scale(mean.to(generator.device), std), config)


def tensors_of(path: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """What a file says of its progress, and its tensors.

    Raises:   InputError if it is no such file
    """
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {}).get(PROGRESS, "{}"))
            return told, {name: file.get_tensor(name) for name in list(file.keys())}
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); delete it") from error


def on_cpu(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors as safetensors takes them."""
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
