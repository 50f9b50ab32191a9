"""The Hugging Face hub: told apart from a network that is not there, within seconds."""

from dcm_helpers.errors import InputError

HUB_TIMEOUT_SECONDS = 4


def is_cached(name: str) -> bool:
    """Whether an earlier download left a model in the hub's cache on this machine."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def require_hub(what: str, alternative: str) -> None:
    """Fail within seconds, with a way out, where the hub cannot be reached; the libraries would retry for long.

    With HF_HUB_OFFLINE=1 nothing is probed and the libraries read their cache alone.

    Raises:   InputError if the hub does not answer
    """
    # imported here: it costs half a second that nothing else needs
    from huggingface_hub import constants as hub
    from huggingface_hub.utils import get_session

    if hub.HF_HUB_OFFLINE:
        return
    try:
        get_session().head(hub.ENDPOINT, timeout=HUB_TIMEOUT_SECONDS)
    except Exception as error:  # the session's HTTP library differs between hub versions
        raise InputError(
            f"{what!r} is not on this machine and the hub does not answer ({type(error).__name__}).\n  "
            f"Ways out: {alternative}; go online; or set HF_HUB_OFFLINE=1 to use what earlier downloads left in the "
            "cache."
        ) from error
