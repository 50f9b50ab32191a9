"""Independent judges: the Hugging Face decoder, plain forward passes, bit-for-bit comparison of weights."""

import torch

from dcm_helpers.generator import token_rows
from dcm_helpers.stm import Row, joint_problems, score_rows


def generate(generator, embeddings, new_tokens):
    """What Hugging Face's ``generate`` decodes greedily after embeddings (P, D), cut after the first EOS."""
    ids = generator.model.generate(
        inputs_embeds=embeddings[None].to(generator.dtype),
        attention_mask=torch.ones(1, len(embeddings), dtype=torch.long),
        max_new_tokens=new_tokens,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        eos_token_id=generator.eos_id,
        pad_token_id=generator.eos_id,
    )[0].tolist()
    return tuple(ids[: ids.index(generator.eos_id) + 1] if generator.eos_id in ids else ids)


def prefix_embeddings(generator, view, content):
    """[BOS, mode | content | given] as one unpadded row (P, D), put together by hand."""
    before = generator.embed(torch.tensor([*generator.bos_ids, *view.mode_ids], dtype=torch.long))
    after = generator.embed(torch.tensor(view.given_ids, dtype=torch.long))
    return torch.cat([before, content.to(generator.dtype), after])


def plain_nll(generator, view, content):
    """-log p of every target token, (T,), from one full forward pass of one unpadded row.

    Written without the project's layout and shift: the distribution at a position is for the token after it.
    """
    prefix = prefix_embeddings(generator, view, content)
    target = torch.tensor(view.target_ids)
    row = torch.cat([prefix, generator.embed(target)])
    log_p = generator.model(inputs_embeds=row[None]).logits[0].log_softmax(-1)
    return torch.stack([-log_p[len(prefix) + t - 1, token] for t, token in enumerate(view.target_ids)])


def scored_beside_plain(generator, pairs):
    """Losses of joint problems from random contents: (the project's, by a plain forward pass) for each view."""
    problems = joint_problems(generator, pairs)
    contents = token_rows(generator, 8 * len(pairs), torch.Generator().manual_seed(0)).view(len(pairs), 8, -1)
    rows = [Row.of(generator, view, slot) for slot, problem in enumerate(problems) for view in problem.views]
    views = [(view, content) for problem, content in zip(problems, contents, strict=True) for view in problem.views]
    with torch.no_grad():
        plain = [plain_nll(generator, view, content).mean().item() for view, content in views]
    return list(zip([scores["loss"] for scores in score_rows(generator, rows, contents, 8)], plain, strict=True))


def weights(generator):
    """A copy of every weight."""
    return {name: tensor.clone() for name, tensor in generator.model.state_dict().items()}


def same_bits(before, after):
    """Whether two sets of weights are equal bit for bit."""
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
