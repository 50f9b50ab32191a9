"""A chat template: a program from elsewhere, asked once what it puts around the text of a user."""

import contextlib
import ctypes
import threading

from transformers import PreTrainedTokenizerBase

from dcm_helpers.errors import InputError, require

USER_TEXTS = ("The text of a user stands here.", "Another text, longer than the first one, stands here now.")
SECONDS = 5
"""A template that runs for longer does not end."""


def around_user_text(name: str, tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """What a tokenizer's chat template puts before and after the text of a user, whose answer comes next.

    Args:     name  of the Generator, for errors
    Raises:   InputError if the template fails, does not end, or does not hold the text as it is
    """
    rendered: list[str | Exception] = []

    def render() -> None:
        options = {"add_generation_prompt": True, "tokenize": False, "enable_thinking": False}
        with contextlib.suppress(SystemExit):  # it was ended
            try:
                for text in USER_TEXTS:
                    message = [{"role": "user", "content": text}]
                    rendered.append(tokenizer.apply_chat_template(message, **options))
            except Exception as error:  # whatever the template does
                rendered.append(error)

    thread = threading.Thread(target=render, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if thread.is_alive():  # Python's own way to end a thread from outside; otherwise it would take half of all time
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        thread.join(SECONDS)
    way_out = "mend it, or delete it from the tokenizer's files to have prompts without one"
    failed = next((each for each in rendered if isinstance(each, Exception)), None)
    if failed is not None:
        reason = (str(failed).splitlines() or [""])[0]
        raise InputError(f"the chat template of {name} fails ({reason}); {way_out}") from failed
    ended = len(rendered) == len(USER_TEXTS)
    require(ended, f"the chat template of {name} does not end in {SECONDS} s; {way_out}")
    around = {prompt.partition(text)[::2] for prompt, text in zip(rendered, USER_TEXTS, strict=True)}
    held = all(prompt.count(text) == 1 for prompt, text in zip(rendered, USER_TEXTS, strict=True))
    require(held and len(around) == 1, f"the chat template of {name} changes texts, or changes with them; {way_out}")
    ((before, after),) = around
    if after.endswith("<think>\n"):  # a reasoning template that opens a thought; the target is none, so close it
        after += "\n</think>\n\n"
    return before, after
